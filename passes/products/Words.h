// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From f32 in an operand to the words that a kernel reads.
#ifndef TOWER_PASSES_PRODUCTS_WORDS_H
#define TOWER_PASSES_PRODUCTS_WORDS_H

#include "passes/products/Blocking.h"

namespace tower::products {

/// The words of tile.lanes * tile.perWord() f32 that follow one another in k.
mlir::Value words(IndexMath &math, Tile tile, mlir::Value numbers);

/// The words of two rows of tile.lanes f32, the second of the next k.
mlir::Value pairWords(IndexMath &math, Tile tile, mlir::Value row, mlir::Value next);

} // namespace tower::products

#endif
