// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Copies of operands in the order in which the micro-kernel reads them.
#ifndef TOWER_PASSES_PRODUCTS_PACK_H
#define TOWER_PASSES_PRODUCTS_PACK_H

#include "passes/products/Kernel.h"

namespace tower::products {

/// Packed B: for each block of depthBlock rows, for each panel of tile.columns() columns, its rows one after another.
/// Element (k, j) of the first panel's column is at k-block * packedColumns + j * depthBlock, for j a panel's start.
struct PackedB {
  Place1D place;
  int64_t depthBlock, packedColumns;

  /// Where the panel that starts at column j begins, in the block that starts at row k.
  Index panel(IndexMath &math, Index k, Index j) const;
};

/// Packs columns [low, high) of the depth x columns matrix op(B), low a multiple of tile.columns() and so
/// is high if `wholePanels`. What is beyond the last column in the last panel is 0 or a copy of the last column.
void packB(IndexMath &math, Kernels &kernels, Tile tile, const Matrix &b, bool transposed, Index depth, Index low,
           Index high, bool wholePanels, const PackedB &packed);

/// Copies rows [low, high), columns [k, k + depth) of A: row i to to[(i - low) * kRowStride].
void copyRows(IndexMath &math, Tile tile, const Matrix &a, Index low, Index high, Index k, Index depth, mlir::Value to);

/// Copies columns [low, high), rows [k, k + depth) of a matrix of `columns` columns, which is A^T: into panels of
/// tile.rows columns, depth x tile.rows, panelStride() apart. What is beyond the last column is 0 or of the next row.
void copyColumns(IndexMath &math, Tile tile, const Matrix &a, Index columns, Index low, Index high, Index k,
                 Index depth, mlir::Value to);

} // namespace tower::products

#endif
