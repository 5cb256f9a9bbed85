// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the in-batch softmax and its gradient share: scores of a row, which of them count how often, sums over them.
#ifndef TOWER_PASSES_LOWER_SOFTMAX_H
#define TOWER_PASSES_LOWER_SOFTMAX_H

#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/lower/Blocks.h"
#include "passes/lower/PairsOfRows.h"

#include <optional>

namespace tower::lower {

/// What exp and its surroundings cost, in element operations.
constexpr int64_t kExpCost = 20;

/// The scores of one query: a row of a block's scratch, and its number among the queries.
struct ScoreRow {
  Value scores, local, row;
};

class Softmax {
public:
  template <class Op>
  Softmax(Lowering &b, Op op)
      : b(b), query(b.rowsInUse(op.getQuery())), item(b.rowsInUse(op.getItem())), ids(b.memory(op.getIds())),
        logQ(b.memory(op.getLogQ())), weights(b.memory(op.getWeights())), positives(b.memory(op.getPositives())),
        counts(b.memory(op.getCounts())), queryRows(b.memory(op.getQueryRows())),
        mostRows(shapeOf(b.memory(op.getQuery()))[0]), mostColumns(shapeOf(b.memory(op.getItem()))[0]),
        count(b.rowCount(op.getItem())), numPairs(queryRows ? shapeOf(queryRows)[0] : mostRows),
        inverseTemperature(1 / op.getTemperature().convertToFloat()) {
    if (op.getQueryIds())
      queryIds = padded(b.memory(op.getQueryIds()));
    if (counts)
      shift = shiftOfColumns();
    if (queryRows)
      pairs.emplace(b, queryRows, mostRows, b.rowCount(op.getQuery()));
  }

  /// For each block of queries: `eachRow` of its scores, in any order, then `product` with what has become of them.
  void forBlocks(llvm::function_ref<void(const ScoreRow &)> eachRow, llvm::function_ref<void(const Block &)> product) {
    lower::forBlocks(b, query, mostRows, item, mostColumns, [&](const Block &block) {
      forRows(b, block, mostColumns * kExpCost, [&](Value local, Value row) { eachRow({block.scores, local, row}); });
      product(block);
    });
  }

  /// The pairs of a row of queries, rising.
  void forPairs(Value row, Emitter::Body body) { pairs ? pairs->of(row, body) : body(row); }
  Values forPairs(Value row, ValueRange initial, llvm::function_ref<Values(Value, ValueRange)> body) {
    return pairs ? pairs->of(row, initial, body) : body(row, initial);
  }
  Value firstPair(Value row) { return pairs ? pairs->firstOf(row) : row; }
  bool hasOnePairPerRow() const { return !pairs; }
  /// Where several pairs share a row of queries; else null.
  const PairsOfRows *pairsOfRows() const { return pairs ? &*pairs : nullptr; }

  /// Scaled and corrected scores, with the logarithm of how often the column counts.
  Value logits(const ScoreRow &row, Value column, VectorType type) {
    Value s = b.mul(load(row, column, type), b.splat(inverseTemperature, type));
    if (shift)
      return b.add(s, b.loadVector(type, shift, column));
    return logQ ? b.sub(s, b.loadVector(type, logQ, column)) : s;
  }

  /// The column of a pair's positive.
  Value positive(Value pair) { return positives ? b.toIndex(b.load(positives, pair)) : pair; }

  /// The scaled and corrected score of a pair's positive, which its count never enters, before logits() replace it.
  Value positiveLogit(const ScoreRow &row, Value pair) {
    Value s = b.mul(load(row, positive(pair)), b.f32(inverseTemperature));
    return logQ ? b.sub(s, b.load(logQ, positive(pair))) : s;
  }

  Value load(const ScoreRow &row, Value column) { return b.load(row.scores, {row.local, column}); }
  Value load(const ScoreRow &row, Value column, VectorType type) {
    return b.loadVector(type, row.scores, {row.local, column});
  }
  void store(Value value, const ScoreRow &row, Value column) { b.store(value, row.scores, {row.local, column}); }

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
    return b.fold(count, body, maximum);
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
  /// scale w_i
  Value scaledWeight(Value scale, Value pair) { return weights ? b.mul(scale, b.load(weights, pair)) : scale; }
  Value weightSum() { return weights ? b.total(weights) : b.f32(static_cast<double>(numPairs)); }

  Lowering &b;
  Value query, item;
  Value ids, logQ, weights, queryIds, positives, counts, queryRows;
  Value shift; ///< Null where columns do not count.
  int64_t mostRows, mostColumns;
  Value count;
  int64_t numPairs;
  double inverseTemperature;

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
    if (numPairs == mostColumns)
      return short_;
    Value all = b.allocate({mostColumns}, b.getI32Type());
    b.elements(b.index(numPairs), 1, [&](Value i) { b.store(b.load(short_, i), all, i); });
    b.elements(b.index(mostColumns - numPairs), 1,
               [&](Value i) { b.store(b.integer(-1, 32), all, b.add(i, b.index(numPairs))); });
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

  std::optional<PairsOfRows> pairs; ///< Where several pairs share a row of queries.
};

} // namespace tower::lower

#endif
