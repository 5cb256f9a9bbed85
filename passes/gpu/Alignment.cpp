// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/Alignment.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace tower {

static bool isMultiple(int64_t number) { return !ShapedType::isDynamic(number) && number % kVector == 0; }

/// Whether a memref's first element is at a multiple of 16 bytes.
static bool startIsAligned(Value memory) {
  if (isa<BlockArgument>(memory) || memory.getDefiningOp<memref::AllocOp>())
    return cast<MemRefType>(memory.getType()).getLayout().isIdentity();
  if (auto cast = memory.getDefiningOp<memref::CastOp>())
    return startIsAligned(cast.getSource());
  if (auto select = memory.getDefiningOp<arith::SelectOp>())
    return startIsAligned(select.getTrueValue()) && startIsAligned(select.getFalseValue());
  if (auto collapse = memory.getDefiningOp<memref::CollapseShapeOp>())
    return startIsAligned(collapse.getSrc());
  auto part = memory.getDefiningOp<memref::SubViewOp>();
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  if (!part || failed(part.getSourceType().getStridesAndOffset(strides, offset)))
    return false;
  // The part begins at the sum of offsets times strides.
  for (auto [at, stride] : llvm::zip(part.getStaticOffsets(), strides))
    if (!isMultiple(at) && !isMultiple(stride))
      return false;
  return startIsAligned(part.getSource());
}

bool rowsAreAligned(Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  return type.getElementType().isF32() && succeeded(type.getStridesAndOffset(strides, offset)) && !strides.empty() &&
         strides.back() == 1 && llvm::all_of(ArrayRef(strides).drop_back(), isMultiple) && startIsAligned(memory);
}

} // namespace tower
