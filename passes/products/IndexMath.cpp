// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Index arithmetic and loops that fold as they are built.
#include "passes/products/IndexMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include <algorithm>

using namespace mlir;

namespace tower::products {

Value IndexMath::materialize(Index x) {
  return x.isKnown() ? arith::ConstantIndexOp::create(builder, loc, x.known()).getResult() : x.value();
}

Index IndexMath::fromFoldResult(OpFoldResult x) {
  if (std::optional<int64_t> number = getConstantIntValue(x))
    return *number;
  return cast<Value>(x);
}

Index IndexMath::dim(Value memref, int64_t dimension) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dimension))
    return type.getDimSize(dimension);
  return fromFoldResult(OpFoldResult(builder.createOrFold<memref::DimOp>(loc, memref, dimension)));
}

Index IndexMath::add(Index x, Index y) {
  if (x.isKnown() && y.isKnown())
    return x.known() + y.known();
  if (x.is(0))
    return y;
  if (y.is(0))
    return x;
  return arith::AddIOp::create(builder, loc, materialize(x), materialize(y)).getResult();
}

Index IndexMath::sub(Index x, Index y) {
  if (x.isKnown() && y.isKnown())
    return x.known() - y.known();
  if (y.is(0))
    return x;
  return arith::SubIOp::create(builder, loc, materialize(x), materialize(y)).getResult();
}

Index IndexMath::mul(Index x, Index y) {
  if (x.isKnown() && y.isKnown())
    return x.known() * y.known();
  if (x.is(0) || y.is(0))
    return 0;
  if (x.is(1))
    return y;
  if (y.is(1))
    return x;
  return arith::MulIOp::create(builder, loc, materialize(x), materialize(y)).getResult();
}

Index IndexMath::div(Index x, Index y) {
  if (x.isKnown() && y.isKnown())
    return x.known() / y.known();
  if (y.is(1))
    return x;
  return arith::DivUIOp::create(builder, loc, materialize(x), materialize(y)).getResult();
}

Index IndexMath::rem(Index x, Index y) {
  if (x.isKnown() && y.isKnown())
    return x.known() % y.known();
  if (y.is(1))
    return 0;
  return arith::RemUIOp::create(builder, loc, materialize(x), materialize(y)).getResult();
}

Index IndexMath::min(Index x, Index y) {
  if (x.isKnown() && y.isKnown())
    return std::min(x.known(), y.known());
  return arith::MinUIOp::create(builder, loc, materialize(x), materialize(y)).getResult();
}

Index IndexMath::max(Index x, Index y) {
  if (x.isKnown() && y.isKnown())
    return std::max(x.known(), y.known());
  return arith::MaxUIOp::create(builder, loc, materialize(x), materialize(y)).getResult();
}

Index IndexMath::ceilDiv(Index x, int64_t y) { return div(add(x, y - 1), y); }

Index IndexMath::roundDown(Index x, int64_t y) { return mul(div(x, y), y); }

Index IndexMath::blockLength(Index total, Index start, int64_t block) {
  if (total.isMultipleOf(block))
    return block;
  return min(sub(total, start), block);
}

void IndexMath::loop(Index low, Index high, int64_t step, function_ref<void(Index)> body) {
  if (low.isKnown() && high.isKnown()) {
    if (high.known() <= low.known())
      return;
    if (high.known() <= low.known() + step)
      return body(low);
  }
  auto loop = scf::ForOp::create(builder, loc, materialize(low), materialize(high), materialize(step));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  body(Index(loop.getInductionVar()));
}

void IndexMath::ifLess(Index x, Index y, function_ref<void()> body) {
  if (x.isKnown() && y.isKnown()) {
    if (x.known() < y.known())
      body();
    return;
  }
  Value less = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, materialize(x), materialize(y));
  auto branch = scf::IfOp::create(builder, loc, less, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  body();
}

void IndexMath::parallel(Index pieces, function_ref<void(Index)> body) {
  Value zero = materialize(0), one = materialize(1), end = materialize(pieces);
  auto loop = scf::ParallelOp::create(builder, loc, zero, end, one);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  body(Index(loop.getInductionVars().front()));
}

} // namespace tower::products
