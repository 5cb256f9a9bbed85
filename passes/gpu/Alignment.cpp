// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/Alignment.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace tower {

static bool isMultiple(int64_t number) { return !ShapedType::isDynamic(number) && number % kVector == 0; }

/// Whether an index is a multiple of `divisor` for every value of what it is made of. What was `seen` is looked at
/// elsewhere: starts of features are sums of selections of one another.
static bool isMultipleOf(Value index, int64_t divisor, llvm::SmallDenseSet<Value> &seen) {
  if (APInt number; matchPattern(index, m_ConstantInt(&number)))
    return number.getSExtValue() % divisor == 0;
  if (!seen.insert(index).second)
    return true;
  auto of = [&](Value part) { return isMultipleOf(part, divisor, seen); };
  if (auto argument = dyn_cast<BlockArgument>(index)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    return loop && argument == loop.getInductionVar() && of(loop.getLowerBound()) && of(loop.getStep());
  }
  Operation *op = index.getDefiningOp();
  if (isa<arith::AddIOp, arith::SubIOp, arith::MinSIOp>(op))
    return llvm::all_of(op->getOperands(), of);
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return of(select.getTrueValue()) && of(select.getFalseValue());
  return isa<arith::MulIOp>(op) && llvm::any_of(op->getOperands(), [&](Value factor) {
           llvm::SmallDenseSet<Value> ofFactor;
           return isMultipleOf(factor, divisor, ofFactor);
         });
}

static bool isMultipleOf(Value index, int64_t divisor) {
  llvm::SmallDenseSet<Value> seen;
  return isMultipleOf(index, divisor, seen);
}

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
  for (auto [at, stride] : llvm::zip(part.getMixedOffsets(), strides))
    if (auto offset = dyn_cast<Value>(at);
        !isMultiple(stride) && !(offset ? isMultipleOf(offset, kVector) : isMultiple(*getConstantIntValue(at))))
      return false;
  return startIsAligned(part.getSource());
}

bool rowsAreAligned(Value memory) {
  // A cast may know less than what it is made of.
  if (auto cast = memory.getDefiningOp<memref::CastOp>())
    return rowsAreAligned(cast.getSource());
  if (auto select = memory.getDefiningOp<arith::SelectOp>())
    return rowsAreAligned(select.getTrueValue()) && rowsAreAligned(select.getFalseValue());
  auto type = cast<MemRefType>(memory.getType());
  SmallVector<int64_t> strides;
  int64_t offset = 0;
  Type element = type.getElementType();
  return (element.isF32() || element.isInteger(32)) && succeeded(type.getStridesAndOffset(strides, offset)) &&
         !strides.empty() && strides.back() == 1 && llvm::all_of(ArrayRef(strides).drop_back(), isMultiple) &&
         startIsAligned(memory);
}

llvm::Align alignmentAt(Value memory, ValueRange at, int64_t count) {
  uint64_t element = cast<MemRefType>(memory.getType()).getElementTypeBitWidth() / 8;
  bool aligned = rowsAreAligned(memory) && isMultipleOf(at.back(), count);
  return llvm::Align(aligned ? std::min<uint64_t>(count, kVector) * element : element);
}

} // namespace tower
