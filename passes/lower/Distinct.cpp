// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of what a batch with equal rows needs: their numbers, and the way to all rows and back.
#include "passes/lower/GroupRows.h"
#include "passes/lower/PairsOfRows.h"
#include "passes/lower/RowNumbers.h"

using namespace mlir;

namespace tower::lower {

LogicalResult lower(Lowering &b, DistinctOp op) {
  Value rows = b.memory(op.getRows()), distinct = b.define(op.getDistinct());
  Value inverse = b.define(op.getInverse()), counts = b.define(op.getCounts());
  int64_t all = shapeOf(rows)[0];
  if (b.onGpu()) {
    b.copy(rows, inverse);
    Value found = numberRows(b, inverse, std::nullopt, all, distinct, counts);
    b.setRowCount(op.getDistinct(), found);
    b.setRowCount(op.getCounts(), found);
    return success();
  }
  RowNumbers numbers(b, all, std::nullopt, distinct, counts);
  numbers.clear();
  Value found = b.loop(b.index(0), b.index(all), 1, b.index(0), [&](Value i, ValueRange before) -> Values {
    Values numbered = numbers.number(b.load(rows, i), before[0]);
    b.store(b.toI32(numbered[0]), inverse, i);
    return {numbered[1]};
  })[0];
  b.setRowCount(op.getDistinct(), found);
  b.setRowCount(op.getCounts(), found);
  return success();
}

LogicalResult lower(Lowering &b, ExpandRowsOp op) {
  Value input = b.memory(op.getInput()), inverse = b.memory(op.getInverse()), result = b.define(op.getResult());
  int64_t width = shapeOf(result)[1];
  b.rows(shapeOf(result)[0], width, [&](Value i) {
    Value from = b.toIndex(b.load(inverse, i));
    b.vectors(width, [&](Value column, VectorType type) {
      b.store(b.loadVector(type, input, {from, column}), result, {i, column});
    });
  });
  return success();
}

// A piece has some columns of all rows, so that the rows of each sum come in order.
LogicalResult lower(Lowering &b, SumEqualRowsOp op) {
  Value input = b.memory(op.getInput()), inverse = b.memory(op.getInverse()), result = b.define(op.getResult());
  int64_t all = shapeOf(input)[0];
  Value count = b.rowCount(op.getResult());
  if (b.onGpu()) {
    PairsOfRows equal(b, inverse, all, count);
    b.rows(count, shapeOf(input)[1], [&](Value u) {
      b.vectors(shapeOf(input)[1], [&](Value column, VectorType type) {
        Value sum = equal.of(u, b.splat(0, type), [&](Value i, ValueRange before) -> Values {
          return {b.add(before[0], b.loadVector(type, input, {i, column}))};
        })[0];
        b.store(sum, result, {u, column});
      });
    });
    return success();
  }
  b.vectorsInPieces(shapeOf(input)[1], all * kLanes, [&](Value column, VectorType type) {
    b.loop(b.index(0), count, 1, [&](Value u) { b.store(b.splat(0, type), result, {u, column}); });
    b.loop(b.index(0), b.index(all), 1, [&](Value i) {
      Value u = b.toIndex(b.load(inverse, i));
      Value x = b.loadVector(type, input, {i, column});
      b.store(b.add(b.loadVector(type, result, {u, column}), x), result, {u, column});
    });
  });
  return success();
}

} // namespace tower::lower
