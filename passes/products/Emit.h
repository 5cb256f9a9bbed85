// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop nest of one product.
#ifndef TOWER_PASSES_PRODUCTS_EMIT_H
#define TOWER_PASSES_PRODUCTS_EMIT_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/products/Kernel.h"

namespace tower::products {

/// C = op(A) op(B), or C += op(A) op(B) if not `overwrite`; all operands in memory, f32, rows contiguous.
struct Product {
  Matrix a, b, c;
  bool transposeA, transposeB, overwrite;
  Extents extents;
  /// The epilogue: its parts are present where these are not null. The bias is one row.
  Matrix bias{}, gate{};
  bool relu = false;
};

/// Emits the product at the builder's insertion point, which is inside `parallel` if that is not null.
void emitProduct(IndexMath &math, Kernels &kernels, const Product &product, const Blocking &blocking,
                 mlir::scf::ParallelOp parallel);

} // namespace tower::products

#endif
