// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cost model of dense products.
#include "passes/products/Blocking.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <limits>

using llvm::alignTo;
using llvm::divideCeil;

namespace tower::products {
namespace {

/// What a dynamic extent is taken for.
constexpr int64_t kTypicalExtent = 1024;
/// A block of B of depthBlock x this stays in the second-level cache while rows of A pass by.
constexpr int64_t kMaxPieceColumns = 512;
/// Rows of A copied at a time: 96 x 528 x 4 bytes = 198 KiB.
constexpr int64_t kMaxRowBlock = 96;
/// B is packed whole up to this many elements (16 MiB), else part by part.
constexpr int64_t kMaxPacked = int64_t(4) << 20;
/// With so few rows, copying B costs more than it saves.
constexpr int64_t kFewRows = 24;
/// Multiply-adds below which starting threads does not pay, and those that one piece should have.
constexpr int64_t kMinParallel = int64_t(2) << 20;
constexpr int64_t kMinPiece = int64_t(1) << 19;
/// As many pieces as keep the threads of a common machine busy; up to twice as many if that cuts better.
constexpr int64_t kGoodPieces = 16;

/// Inside parallel work, scratch is on the stack: 48 x 528 and 512 x 64 elements, 227 KiB in all.
constexpr int64_t kStackRowBlock = 48;
constexpr int64_t kStackPackedColumns = 64;

/// Blocks of at most `limit`, as equal as multiples of `unit` can be.
int64_t evenBlock(int64_t extent, int64_t limit, int64_t unit) {
  int64_t blocks = std::max<int64_t>(1, divideCeil(extent, limit));
  return alignTo(divideCeil(std::max<int64_t>(1, extent), blocks), unit);
}

/// How much longer the largest of `cuts` parts of `tiles` is than the mean.
double imbalance(int64_t tiles, int64_t cuts) {
  return static_cast<double>(divideCeil(tiles, cuts) * cuts) / static_cast<double>(tiles);
}

/// Chooses how many parts rows and columns of C are cut into.
void chooseGrid(Blocking &blocking, int64_t m, int64_t n, int64_t k) {
  int64_t rowTiles = divideCeil(m, blocking.tile.rows);
  int64_t columnTiles = divideCeil(n, blocking.tile.columns());
  int64_t wanted = std::clamp<int64_t>(m * n * k / kMinPiece, 1, kGoodPieces);
  int64_t minColumnCuts = divideCeil(n, kMaxPieceColumns);
  int64_t maxPieces = std::max(2 * wanted, minColumnCuts);
  double best = std::numeric_limits<double>::max();
  for (int64_t columnCuts = minColumnCuts; columnCuts <= std::min(columnTiles, maxPieces); ++columnCuts) {
    for (int64_t rowCuts = 1; rowCuts <= std::min(rowTiles, maxPieces / columnCuts); ++rowCuts) {
      // In units of the multiply-adds' time: rows of A are copied once per column of pieces, B is fetched from the
      // third-level cache once per row of pieces (about a quarter of a cycle an element; 16 multiply-adds a cycle).
      double traffic = 4.0 * (static_cast<double>(columnCuts) / n + static_cast<double>(rowCuts) / m);
      double tooFew = std::max<int64_t>(0, wanted - rowCuts * columnCuts) / static_cast<double>(wanted);
      double cost = imbalance(rowTiles, rowCuts) * imbalance(columnTiles, columnCuts) * (1 + traffic) + tooFew;
      if (cost < best) {
        best = cost;
        blocking.rowCuts = rowCuts;
        blocking.columnCuts = columnCuts;
      }
    }
  }
  blocking.rowTilesPerPiece = divideCeil(rowTiles, blocking.rowCuts);
  blocking.columnTilesPerPiece = divideCeil(columnTiles, blocking.columnCuts);
}

} // namespace

Tile chooseTile(int64_t lanes) { return lanes == 16 ? Tile{16, 12} : Tile{lanes, 6}; }

Blocking chooseBlocking(const Extents &extents, bool transposeB, Tile tile, Place place) {
  int64_t m = extents.m.knownOr(kTypicalExtent), n = extents.n.knownOr(kTypicalExtent),
          k = std::max<int64_t>(1, extents.k.knownOr(kTypicalExtent));
  bool onStack = place == Place::InsideParallel;
  Blocking blocking{};
  blocking.tile = tile;
  blocking.packB = transposeB || !extents.m.isKnown() || m > kFewRows;
  blocking.depthBlock = evenBlock(k, kMaxDepthBlock, 16);
  blocking.rowBlock = std::min<int64_t>(onStack ? kStackRowBlock : kMaxRowBlock, alignTo(m, tile.rows));
  blocking.parallel = !onStack && m * n * k >= kMinParallel;

  int64_t depth = alignTo(k, blocking.depthBlock), columns = alignTo(n, tile.columns());
  if (onStack) {
    blocking.packedDepth = blocking.depthBlock;
    blocking.packedColumns = std::min(kStackPackedColumns, columns);
  } else if (extents.n.isKnown() && extents.k.isKnown() && depth * columns <= kMaxPacked) {
    blocking.packedDepth = depth;
    blocking.packedColumns = columns;
  } else {
    // A dynamic extent gets what the budget leaves, up to 16 typical blocks.
    int64_t mostDepth = 16 * kMaxDepthBlock, mostColumns = 16 * kMaxPieceColumns;
    blocking.packedDepth = extents.k.isKnown() ? std::min(depth, 4 * blocking.depthBlock) : 4 * blocking.depthBlock;
    if (extents.n.isKnown())
      mostColumns = columns;
    blocking.packedColumns = std::min<int64_t>(
        mostColumns, llvm::alignDown(kMaxPacked / blocking.packedDepth, static_cast<uint64_t>(tile.columns())));
    if (!extents.k.isKnown() || depth > blocking.packedDepth)
      blocking.packedDepth = std::clamp<int64_t>(
          llvm::alignDown(kMaxPacked / blocking.packedColumns, static_cast<uint64_t>(blocking.depthBlock)),
          blocking.depthBlock, extents.k.isKnown() ? depth : mostDepth);
  }
  chooseGrid(blocking, m, std::min(n, blocking.packB ? blocking.packedColumns : n), k);
  return blocking;
}

} // namespace tower::products
