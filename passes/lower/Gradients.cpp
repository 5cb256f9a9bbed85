// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of what adjoints are made of: sums, products, slices.
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
  b.elementwise(
      {b.memory(op.getLhs()), b.memory(op.getRhs())}, b.define(op.getResult()), 1,
      [&](ValueRange values, VectorType) { return b.add(values[0], values[1]); },
      boundOf(op.getType()) ? b.rowCount(op.getResult()) : Value());
  return success();
}

LogicalResult lower(Lowering &b, MatmulOp op) {
  b.defineOnto(op.getResult(), op.getOnto());
  b.layerProduct(b.rowsInUse(op.getLhs()), op.getTransposeLhs(), b.rowsInUse(op.getRhs()), op.getTransposeRhs(),
                 b.rowsInUse(op.getResult()), /*accumulate=*/static_cast<bool>(op.getOnto()),
                 {.gate = op.getGate() ? b.rowsInUse(op.getGate()) : Value()});
  return success();
}

LogicalResult lower(Lowering &b, ColumnSumOp op) {
  Value input = b.memory(op.getInput()), result = b.define(op.getResult());
  int64_t most = shapeOf(input)[0], width = shapeOf(input)[1];
  Value count = b.rowCount(op.getInput());
  // One vector of columns, all rows in order.
  b.vectorsInPieces(width, most * kLanes, [&](Value column, VectorType type) {
    Values sums = b.loop(b.index(0), count, 1, b.splat(0, type), [&](Value i, ValueRange before) -> Values {
      return {b.add(before[0], b.loadVector(type, input, {i, column}))};
    });
    b.store(sums[0], result, column);
  });
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

} // namespace tower::lower
