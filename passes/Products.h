// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How another lowering asks for a dense product: it makes a linalg.matmul that `tower-lower-products` turns into loops.
#ifndef TOWER_PASSES_PRODUCTS_H
#define TOWER_PASSES_PRODUCTS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

#include <optional>

namespace tower {

/// A unit attribute of linalg.matmul: C = A B. Without it, as upstream means it, C += A B.
inline constexpr llvm::StringLiteral kOverwriteAttr = "tower.overwrite";

/// The same: elements of A and B are rounded to bf16 before they are multiplied; sums are f32.
inline constexpr llvm::StringLiteral kBf16Attr = "tower.bf16";

/// What happens to each element of C when its sum is complete, while it is still in a register:
/// x + bias[j], then max(x, 0) if `relu`, then 0 where gate[i, j] is not above 0. NaN stays NaN.
struct Epilogue {
  mlir::Value bias = {}; ///< memref<N>, contiguous; or null
  bool relu = false;
  mlir::Value gate = {}; ///< memref<M x N>, inner stride 1: what a ReLU gave, whose gradient C is; or null
};

/// Creates C = op(A) op(B), or C += op(A) op(B) where `accumulate`, for memrefs of rank 2: op(A) is M x K, op(B) is
/// K x N and C is M x N; op transposes where the flag says so. The pass generates fast code for f32 whose inner stride
/// is 1; sizes and the outer stride may be dynamic. C must not overlap A or B. The epilogue is a linalg.generic behind
/// the product, which the pass draws into it: the bits are the same. `bf16`: see kBf16Attr.
void buildProduct(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value a, bool transposeA, mlir::Value b,
                  bool transposeB, mlir::Value c, bool accumulate, const Epilogue &epilogue = {}, bool bf16 = false);

/// What a dynamic size of `memory` cannot exceed: the size of a buffer that it is a part of.
std::optional<int64_t> sizeLimit(mlir::Value memory, int64_t dimension);

} // namespace tower

#endif
