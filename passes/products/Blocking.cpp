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
/// How much of an unbounded extent of B is packed at a time, at most.
constexpr int64_t kMaxUnbounded = 8192;
/// A block of B of so many elements (1 MiB) stays in the second-level cache while rows of A pass by.
constexpr int64_t kMaxPieceBlock = int64_t(512) * 512;
/// Rows of A copied at a time: 96 x 528 x 4 bytes = 198 KiB.
constexpr int64_t kMaxRowBlock = 96;
/// B is packed whole up to this many elements (16 MiB), else part by part.
constexpr int64_t kMaxPacked = int64_t(4) << 20;
/// With so few rows, copying B costs more than it saves.
constexpr int64_t kFewRows = 24;
/// Multiply-adds below which starting threads does not pay, and those that one piece should have.
constexpr int64_t kMinParallel = int64_t(2) << 20;
constexpr int64_t kMinPiece = int64_t(1) << 20;
/// As many pieces as keep the threads of a common machine busy; up to twice as many if that cuts better.
constexpr int64_t kGoodPieces = 16;

/// Inside parallel work, scratch is on the stack: 36 x 528 elements of A and so many of B, 202 KiB in all.
constexpr int64_t kStackRowBlock = 36;
constexpr int64_t kStackPacked = int64_t(1) << 15;

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
  int64_t minColumnCuts = divideCeil(n, std::max(kMaxPieceBlock / blocking.depthBlock, blocking.tile.columns()));
  int64_t maxPieces = std::max(2 * wanted, minColumnCuts);
  // What one more cut costs, in multiply-adds' time for each element (measured): elements of A are fetched, and mostly
  // copied, once per column of pieces; those of B are fetched once per row of pieces.
  double costOfA = blocking.packA ? 16 : 2, costOfB = 1;
  double best = std::numeric_limits<double>::max();
  for (int64_t columnCuts = minColumnCuts; columnCuts <= std::min(columnTiles, maxPieces); ++columnCuts) {
    for (int64_t rowCuts = 1; rowCuts <= std::min(rowTiles, maxPieces / columnCuts); ++rowCuts) {
      double traffic = costOfA * static_cast<double>(columnCuts) / static_cast<double>(n) +
                       costOfB * static_cast<double>(rowCuts) / static_cast<double>(m);
      int64_t missing = std::max<int64_t>(0, wanted - rowCuts * columnCuts);
      double cost = imbalance(rowTiles, rowCuts) * imbalance(columnTiles, columnCuts) * (1 + traffic) +
                    static_cast<double>(missing) / static_cast<double>(wanted);
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

/// Chooses how much of B is packed at a time.
void choosePacked(Blocking &blocking, const Extents &extents, bool onStack) {
  auto panel = static_cast<uint64_t>(blocking.tile.columns()), block = static_cast<uint64_t>(blocking.depthBlock);
  auto limit = [](const Extent &extent) { return extent.size.knownOr(extent.most.value_or(kMaxUnbounded)); };
  auto columns = static_cast<int64_t>(alignTo(limit(extents.n), panel));
  auto depth = static_cast<int64_t>(alignTo(std::max<int64_t>(1, limit(extents.k)), block));
  int64_t budget = onStack ? kStackPacked : kMaxPacked;
  // A few blocks of k first, so that C is not visited too often; then columns, then more of k if there is room.
  int64_t someDepth = std::min(depth, onStack ? blocking.depthBlock : 4 * blocking.depthBlock);
  blocking.packedColumns = std::min<int64_t>(columns, llvm::alignDown(budget / someDepth, panel));
  blocking.packedDepth = std::min<int64_t>(depth, llvm::alignDown(budget / blocking.packedColumns, block));
  auto bounded = [](const Extent &extent) { return extent.size.isKnown() || extent.most; };
  blocking.packedWhole =
      bounded(extents.n) && bounded(extents.k) && blocking.packedColumns == columns && blocking.packedDepth == depth;
}

} // namespace

int64_t Extent::typical() const { return size.knownOr(most.value_or(kTypicalExtent)); }

Tile chooseTile(int64_t lanes) { return lanes == 16 ? Tile{16, 12} : Tile{lanes, 6}; }

Blocking chooseBlocking(const Extents &extents, bool transposeA, bool transposeB, Tile tile, bool insideParallel) {
  int64_t m = extents.m.typical(), n = extents.n.typical(), k = std::max<int64_t>(1, extents.k.typical());
  Blocking blocking{};
  blocking.tile = tile;
  // bf16 is what copies hold.
  bool mustCopy = tile.format != Format::f32;
  blocking.packB = mustCopy || transposeB || m > kFewRows;
  blocking.depthBlock = evenBlock(k, kMaxDepthBlock, 16);
  int64_t mostRows = insideParallel ? kStackRowBlock : kMaxRowBlock;
  blocking.rowBlock = std::min<int64_t>(mostRows, alignTo(m, tile.rows));
  blocking.parallel = !insideParallel && m * n * k >= kMinParallel;
  // A tile of few rows uses too little of each cache line of A^T. What is small is in the caches anyway.
  blocking.packA = mustCopy || !transposeA || tile.lanes < 16 || (tile.copyTransposed && blocking.parallel);
  choosePacked(blocking, extents, insideParallel);
  chooseGrid(blocking, m, blocking.packB ? std::min(n, blocking.packedColumns) : n, k);
  return blocking;
}

} // namespace tower::products
