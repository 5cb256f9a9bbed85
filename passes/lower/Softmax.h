// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the in-batch softmax and its gradient share.
#ifndef TOWER_PASSES_LOWER_SOFTMAX_H
#define TOWER_PASSES_LOWER_SOFTMAX_H

#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/lower/Blocks.h"
#include "passes/lower/PairsOfRows.h"

#include <limits>
#include <optional>

namespace tower::lower {

/// What exp and its surroundings cost, in element operations.
constexpr int64_t kExpCost = 20;

class Softmax {
public:
  template <class Op>
  Softmax(Lowering &b, Op op)
      : b(b), query(b.rowsInUse(op.getQuery())), item(b.rowsInUse(op.getItem())), ids(b.memory(op.getIds())),
        logQ(b.memory(op.getLogQ())), weights(b.memory(op.getWeights())), positives(b.memory(op.getPositives())),
        counts(b.memory(op.getCounts())), mostRows(shapeOf(b.memory(op.getQuery()))[0]),
        mostColumns(shapeOf(b.memory(op.getItem()))[0]), count(b.rowCount(op.getItem())),
        numPairs(mlir::cast<mlir::RankedTensorType>(op.getLse().getType()).getDimSize(0)),
        inverseTemperature(1 / op.getTemperature().convertToFloat()) {
    if (op.getQueryIds())
      queryIds = padded(b.memory(op.getQueryIds()));
    if (counts)
      shift = shiftOfColumns();
    if (op.getQueryRows())
      pairs.emplace(b, b.memory(op.getQueryRows()), mostRows, b.rowCount(op.getQuery()));
  }

  /// How many rows have a positive: pairs.
  int64_t rows() const { return numPairs; }
  void forBlocks(llvm::function_ref<void(const Block &)> body) {
    lower::forBlocks(b, query, mostRows, item, mostColumns, body);
  }
  /// At most.
  int64_t columns() const { return mostColumns; }

  /// Scaled and corrected scores at a place of a block, with the logarithm of how often the column counts.
  Value logits(const Block &block, Value local, Value column, VectorType type) {
    Value s = b.mul(b.loadVector(type, block.scores, {local, column}), b.splat(inverseTemperature, type));
    if (shift)
      return b.add(s, b.loadVector(type, shift, column));
    return logQ ? b.sub(s, b.loadVector(type, logQ, column)) : s;
  }

  /// The column of a row's positive.
  Value positive(Value row) { return positives ? b.toIndex(b.load(positives, row)) : row; }

  /// The scaled and corrected score of a row's positive, which its count never enters, before logits() replace it.
  Value positiveLogit(const Block &block, Value local, Value row) {
    Value s = b.mul(b.load(block.scores, {local, positive(row)}), b.f32(inverseTemperature));
    return logQ ? b.sub(s, b.load(logQ, positive(row))) : s;
  }

  /// Whether the positive counts once although its column counts more often.
  bool leavesOutCopies() const { return shift && ids; }

  /// Vectors over the columns in use.
  void alongColumns(Emitter::VectorBody body) {
    if (!shift)
      return b.vectors(mostColumns, body);
    b.vectors(b.index(0), count, body, [&](Value column) { body(column, b.vectorOf(b.getF32Type(), 1)); });
  }

  /// The sum, or the largest, over the columns in use.
  Value foldColumns(llvm::function_ref<Value(Value, VectorType)> body, bool maximum = false) {
    if (!shift)
      return b.fold(mostColumns, body, maximum);
    auto combine = [&](Value x, Value y) { return maximum ? b.max(x, y) : b.add(x, y); };
    VectorType type = b.vectorOf(b.getF32Type());
    Value whole = b.mul(b.div(count, b.index(kLanes)), b.index(kLanes));
    Value start = b.splat(maximum ? -std::numeric_limits<float>::infinity() : 0.0, type);
    Values sums = b.loop(b.index(0), whole, kLanes, start, [&](Value column, ValueRange before) -> Values {
      return {combine(before[0], body(column, type))};
    });
    Value result = b.reduce(sums[0], maximum);
    return b.loop(whole, count, 1, result, [&](Value column, ValueRange before) -> Values {
      return {combine(before[0], b.reduce(body(column, b.vectorOf(b.getF32Type(), 1)), maximum))};
    })[0];
  }

  /// `value`, but `otherwise` in the columns that are left out of the row.
  Value keep(Value row, Value column, VectorType type, Value value, double otherwise) {
    // Columns that count are distinct: none is left out.
    if (shift)
      return value;
    Value left;
    for (Value same : {ids, queryIds}) {
      if (!same)
        continue;
      VectorType integers = b.like(type, b.getI32Type());
      Value equal = b.compare(mlir::arith::CmpIPredicate::eq, b.loadVector(integers, same, column),
                              b.broadcast(b.load(same, row), integers));
      left = left ? Value(mlir::arith::OrIOp::create(b, left, equal)) : equal;
    }
    if (!left)
      return value;
    Value others = b.compare(mlir::arith::CmpIPredicate::ne, numbersFrom(column, type),
                             b.broadcast(b.toI32(row), b.like(type, b.getI32Type())));
    return b.select(mlir::arith::AndIOp::create(b, left, others), b.splat(otherwise, type), value);
  }

  /// How often a column was drawn.
  Value timesDrawn(Value column) { return mlir::arith::SIToFPOp::create(b, b.getF32Type(), b.load(counts, column)); }

  Value weight(Value row) { return weights ? b.load(weights, row) : Value(); }
  Value weightSum() { return weights ? b.total(weights) : b.f32(static_cast<double>(rows())); }

  Lowering &b;
  Value query, item;
  std::optional<PairsOfRows> pairs; ///< Where several pairs share a row of queries.

private:
  /// column, column + 1, ...
  Value numbersFrom(Value column, VectorType type) {
    llvm::SmallVector<int32_t> lanes = llvm::to_vector(llvm::seq<int32_t>(0, type.getNumElements()));
    VectorType integers = b.like(type, b.getI32Type());
    Value steps =
        mlir::arith::ConstantOp::create(b, mlir::DenseElementsAttr::get(integers, llvm::ArrayRef<int32_t>(lanes)));
    return b.add(b.broadcast(b.toI32(column), integers), steps);
  }

  /// Ids of queries for every column: columns beyond the rows belong to no query.
  Value padded(Value short_) {
    if (rows() == columns())
      return short_;
    Value all = b.allocate({columns()}, b.getI32Type());
    b.loop(b.index(0), b.index(rows()), 1, [&](Value i) { b.store(b.load(short_, i), all, i); });
    b.loop(b.index(rows()), b.index(columns()), 1, [&](Value i) { b.store(b.integer(-1, 32), all, i); });
    return all;
  }

  /// log c_u - log q_u, by column.
  Value shiftOfColumns() {
    Value result = b.allocateF32({mostColumns});
    b.rows(count, kExpCost, [&](Value u) {
      Value log = mlir::math::LogOp::create(b, timesDrawn(u));
      b.store(logQ ? b.sub(log, b.load(logQ, u)) : log, result, u);
    });
    return result;
  }

  Value ids, logQ, weights, queryIds, positives, counts;
  Value shift; ///< Null where columns do not count.
  int64_t mostRows, mostColumns;
  Value count;
  int64_t numPairs;
  double inverseTemperature;
};

} // namespace tower::lower

#endif
