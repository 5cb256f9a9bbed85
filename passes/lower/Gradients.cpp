// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of what adjoints are made of: sums, products, slices, the first layer's gradients.
#include "passes/lower/Lower.h"

using namespace mlir;

namespace tower::lower {

LogicalResult lower(Lowering &b, OneOp op) {
  b.store(b.f32(1), b.define(op.getResult()));
  return success();
}

LogicalResult lower(Lowering &b, ScaleOp op) {
  b.elementwise(b.memory(op.getInput()), b.define(op.getResult()), 1, [&](ValueRange values, VectorType type) {
    return b.mul(values[0], b.splat(op.getFactor().convertToFloat(), type));
  });
  return success();
}

LogicalResult lower(Lowering &b, AddOp op) {
  b.elementwise({b.memory(op.getLhs()), b.memory(op.getRhs())}, b.define(op.getResult()), 1,
                [&](ValueRange values, VectorType) { return b.add(values[0], values[1]); });
  return success();
}

LogicalResult lower(Lowering &b, MatmulOp op) {
  b.product(b.memory(op.getLhs()), op.getTransposeLhs(), b.memory(op.getRhs()), op.getTransposeRhs(),
            b.define(op.getResult()), /*accumulate=*/false);
  return success();
}

LogicalResult lower(Lowering &b, ColumnSumOp op) {
  Value input = b.memory(op.getInput()), result = b.define(op.getResult());
  int64_t count = shapeOf(input)[0], width = shapeOf(input)[1], whole = width / kLanes;
  // One vector of columns, all rows in order.
  auto sum = [&](Value column, VectorType type) {
    Values sums = b.loop(b.index(0), b.index(count), 1, b.splat(0, type), [&](Value i, ValueRange before) -> Values {
      return {b.add(before[0], b.loadVector(type, input, {i, column}))};
    });
    b.store(sums[0], result, column);
  };
  if (whole > 0)
    b.rows(whole, count * kLanes, [&](Value i) { sum(b.mul(i, b.index(kLanes)), b.vectorOf(b.getF32Type())); });
  if (width % kLanes != 0)
    sum(b.index(whole * kLanes), b.vectorOf(b.getF32Type(), width % kLanes));
  return success();
}

LogicalResult lower(Lowering &b, SliceRowsOp op) {
  Value input = b.memory(op.getInput());
  int64_t count = cast<RankedTensorType>(op.getType()).getDimSize(0);
  Value slice = b.rowsOf(input, b.getIndexAttr(op.getFrom()), b.getIndexAttr(count));
  if (b.isFinal(input))
    b.alias(op.getResult(), slice);
  else
    b.copy(slice, b.define(op.getResult()));
  return success();
}

LogicalResult lower(Lowering &b, SegmentWeightGradOp op) {
  Value input = concatenate(b, op.getSegments(), op.getMask(), op.getDefaults());
  b.product(input, /*transposeA=*/true, b.memory(op.getGradient()), false, b.define(op.getResult()), false);
  return success();
}

LogicalResult lower(Lowering &b, SegmentInputGradOp op) {
  Value dy = b.memory(op.getGradient()), weight = b.memory(op.getWeight());
  Value all = b.allocateF32({shapeOf(dy)[0], shapeOf(weight)[0]});
  b.product(dy, false, weight, /*transposeB=*/true, all, false);
  int64_t from = 0;
  for (auto [f, segment] : llvm::enumerate(op.getSegments())) {
    // The segments stay where the product left them; no copy.
    int64_t width = cast<RankedTensorType>(segment.getType()).getDimSize(1);
    Value part = b.columnsOf(all, from, width);
    b.alias(segment, part);
    if (op.getMask())
      b.ifThen(b.isMasked(b.memory(op.getMask()), f), [&] { b.fill(part, 0); });
    from += width;
  }
  return success();
}

LogicalResult lower(Lowering &b, SegmentDefaultGradOp op) {
  Value sums = b.memory(op.getSums()), weight = b.memory(op.getWeight());
  int64_t from = 0, inner = shapeOf(weight)[1];
  for (auto [f, row] : llvm::enumerate(op.getDefaults())) {
    Value result = b.define(row);
    int64_t width = shapeOf(result)[0];
    b.ifThen(
        b.isMasked(b.memory(op.getMask()), f),
        [&] {
          b.rows(width, inner, [&](Value i) {
            Value at = b.add(i, b.index(from));
            Value dot = b.fold(inner, [&](Value column, VectorType type) {
              return b.mul(b.loadVector(type, weight, {at, column}), b.loadVector(type, sums, column));
            });
            b.store(dot, result, i);
          });
        },
        [&] { b.fill(result, 0); });
    from += width;
  }
  return success();
}

} // namespace tower::lower
