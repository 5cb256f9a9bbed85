// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A product's epilogue as IR: a linalg.generic behind the product, marked with what it does.
#ifndef TOWER_PASSES_PRODUCTS_EPILOGUE_H
#define TOWER_PASSES_PRODUCTS_EPILOGUE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "passes/Products.h"

namespace tower::products {

/// Creates the operation that applies a non-empty epilogue to C.
void buildEpilogue(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value c, const Epilogue &epilogue);

/// The epilogue's operation, if it is the next one behind a product and fits f32 kernels; else null.
mlir::linalg::GenericOp findEpilogue(mlir::linalg::MatmulOp product);

/// What a found epilogue's operation does.
Epilogue readEpilogue(mlir::linalg::GenericOp op);

} // namespace tower::products

#endif
