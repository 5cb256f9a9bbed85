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

/// `count` rows from `first` on of some columns, in order.
static Value sumOfColumn(Lowering &b, Value input, Value first, Value count, Value column, VectorType type) {
  return b.loop(b.index(0), count, 1, b.splat(0, type), [&](Value i, ValueRange before) -> Values {
    return {b.add(before[0], b.loadVector(type, input, {b.add(first, i), column}))};
  })[0];
}

LogicalResult lower(Lowering &b, ColumnSumOp op) {
  Value input = b.memory(op.getInput()), result = b.define(op.getResult());
  int64_t most = shapeOf(input)[0], width = shapeOf(input)[1];
  Value count = b.rowCount(op.getInput());
  if (b.onGpu() && most > b.chain()) {
    // Warps sum some rows each, then columns their sums.
    int64_t pieces = llvm::divideCeil(most, b.chain());
    Value sums = b.allocateF32({pieces, width}), used = b.divideUp(count, b.chain());
    b.bound(used, pieces);
    b.rows(used, b.chain() * width, [&](Value piece) {
      Value first = b.mul(piece, b.index(b.chain())), size = b.min(b.index(b.chain()), b.sub(count, first));
      b.vectors(width, [&](Value column, VectorType type) {
        b.store(sumOfColumn(b, input, first, size, column, type), sums, {piece, column});
      });
    });
    input = sums;
    count = used;
  }
  // One vector of columns, all rows in order.
  b.vectorsInPieces(width, most * kLanes, [&](Value column, VectorType type) {
    b.store(sumOfColumn(b, input, b.index(0), count, column, type), result, column);
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
