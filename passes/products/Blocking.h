// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a dense product is cut: into registers, caches, and pieces that threads may run. All sizes are fp32 elements.
#ifndef TOWER_PASSES_PRODUCTS_BLOCKING_H
#define TOWER_PASSES_PRODUCTS_BLOCKING_H

#include "passes/products/IndexMath.h"

namespace tower::products {

/// What copies of A and B hold, in words of 32 bits.
enum class Format {
  f32,
  rounded, ///< bf16 values, each as an f32: the f32 kernel then multiplies as one for bf16 does.
  pairs,   ///< Two bf16 of neighbouring k in a word, as VDPBF16PS wants them; 0 beyond an odd K.
};

/// The part of C that the micro-kernel keeps in registers: rows x (vectors * lanes).
struct Tile {
  int64_t lanes;
  int64_t rows;
  int64_t vectors = 2;
  Format format = Format::f32;
  bool copyTransposed = false; ///< A^T is copied even where a tile has as many rows as a cache line has room for.

  int64_t columns() const { return vectors * lanes; }
  /// Steps of k that a word holds.
  int64_t perWord() const { return format == Format::pairs ? 2 : 1; }
  /// Rows left over are taken this many at a time, then one by one.
  int64_t tailRows() const { return rows / 3; }
};

/// The register tile for vectors of `lanes` fp32: 24 of 32 registers with AVX-512, 12 of 16 with AVX2.
Tile chooseTile(int64_t lanes);

/// At most this much of K is multiplied at a time: two panels of B then fit the first-level cache.
inline constexpr int64_t kMaxDepthBlock = 512;
/// Distance between the copied rows of A. Constant, so that the kernel's broadcasts have fixed displacements; not a
/// power of two, so that the rows do not compete for the same sets of the cache.
inline constexpr int64_t kRowStride = kMaxDepthBlock + 16;

/// One extent of a product.
struct Extent {
  Index size;
  /// What a dynamic size cannot exceed, if the IR says so (a subview of a static buffer).
  std::optional<int64_t> most;

  /// A number for cost models.
  int64_t typical() const;
};

/// Distance between panels of transposed A; a cache line more than they take, which also holds what the last vector has
/// beyond its panel.
inline int64_t panelStride(Tile tile) { return kMaxDepthBlock * tile.rows + 16; }

/// Elements of scratch that copies of A take for `rows` rows.
inline int64_t packedRows(Tile tile, bool transposed, int64_t rows) {
  return transposed ? rows / tile.rows * panelStride(tile) : rows * kRowStride;
}

/// Extents of C = op(A) op(B): M x N, summed over K.
struct Extents {
  Extent m, n, k;
};

struct Blocking {
  Tile tile;
  bool parallel;
  /// B is copied into panels of tile.columns(); else read where it is.
  bool packB;
  /// A is copied: rows, or if it is transposed, panels of tile.rows columns. Else it is read where it is.
  bool packA;
  int64_t depthBlock;
  /// Rows of A copied at a time; a multiple of tile.rows.
  int64_t rowBlock;
  /// The part of B that is packed at a time; multiples of tile.columns() and of depthBlock.
  int64_t packedColumns, packedDepth;
  /// That part is all of B.
  bool packedWhole;
  /// Pieces: a grid over C, in units of register tiles. Where an extent is static, so is the number of cuts, and pieces
  /// differ by one tile at most. Where it is dynamic, a piece has a fixed number of tiles.
  int64_t rowCuts, columnCuts;
  int64_t rowTilesPerPiece, columnTilesPerPiece;
};

/// The blocking of a product. Inside a piece of parallel work it stays sequential, and its scratch is a little stack.
/// Depends on the product alone, never
/// on the number of threads; and no choice changes a bit of the result, because every element of C is one chain of
/// fused multiply-adds in the order of k.
Blocking chooseBlocking(const Extents &extents, bool transposeA, bool transposeB, Tile tile, bool insideParallel);

} // namespace tower::products

#endif
