// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of losses and their gradients. The scores of all rows against all columns never exist: a block of rows at a
// time goes through scratch that stays near the core.
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/lower/Lower.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <limits>

using namespace mlir;

namespace tower::lower {
namespace {

/// Elements of a block of scores, and its rows: few enough to stay in the cache, enough to keep all threads busy.
constexpr int64_t kBlockElements = int64_t(1) << 20;
constexpr int64_t kLeastBlockRows = 16, kMostBlockRows = 256;
/// What exp and its surroundings cost, in element operations.
constexpr int64_t kExpCost = 20;

/// Rows of a block: a divisor of `rows` if a good one exists, so that all blocks have one static size.
int64_t chooseBlockRows(int64_t rows, int64_t columns) {
  int64_t limit = std::clamp(kBlockElements / columns, kLeastBlockRows, kMostBlockRows);
  if (rows <= limit)
    return rows;
  for (int64_t size = limit; 2 * size > limit; --size)
    if (rows % size == 0)
      return size;
  return llvm::divideCeil(rows, llvm::divideCeil(rows, limit));
}

/// A block of rows: the first one's number, how many, and their scores in scratch.
struct Block {
  Value first;
  OpFoldResult count;
  Value scores;
};

/// For each block of rows of `left`: the scores left right^T. `right` has at most `columns` rows.
void forBlocks(Lowering &b, Value left, Value right, int64_t columns, function_ref<void(const Block &)> body) {
  int64_t rows = shapeOf(left)[0], size = chooseBlockRows(rows, columns);
  Value scratch = b.allocateF32({size, columns});
  auto block = [&](Value first, OpFoldResult count) {
    Value scores = isa<Attribute>(count) ? scratch : b.rowsOf(scratch, b.getIndexAttr(0), count);
    if (Value used = b.extent(right, 0); !getConstantIntValue(used))
      scores = b.columnsOf(scores, b.getIndexAttr(0), used);
    b.product(b.rowsOf(left, first, count), false, right, /*transposeB=*/true, scores, /*accumulate=*/false);
    body({first, count, scores});
  };
  if (size == rows)
    return block(b.index(0), b.getIndexAttr(size));
  b.loop(b.index(0), b.index(rows), size, [&](Value first) {
    if (rows % size == 0)
      return block(first, b.getIndexAttr(size));
    block(first, b.min(b.sub(b.index(rows), first), b.index(size)));
  });
}

/// For each row of a block: its number in the block and in all.
void forRows(Lowering &b, const Block &block, int64_t cost, function_ref<void(Value local, Value row)> body) {
  b.rows(b.extent(block.scores, 0), cost, [&](Value local) { body(local, b.add(block.first, local)); });
}

/// The sum of a vector's elements, in order.
Value total(Lowering &b, Value vector) {
  return b.fold(shapeOf(vector)[0], [&](Value i, VectorType type) { return b.loadVector(type, vector, i); });
}

/// What the softmax and its gradient share.
class Softmax {
public:
  template <class Op>
  Softmax(Lowering &b, Op op)
      : b(b), query(b.memory(op.getQuery())), item(b.rowsInUse(op.getItem())), ids(b.memory(op.getIds())),
        logQ(b.memory(op.getLogQ())), weights(b.memory(op.getWeights())), positives(b.memory(op.getPositives())),
        mostColumns(shapeOf(b.memory(op.getItem()))[0]), count(b.rowCount(op.getItem())),
        inverseTemperature(1 / op.getTemperature().convertToFloat()) {
    if (op.getQueryIds())
      queryIds = padded(b.memory(op.getQueryIds()));
    if (op.getCounts())
      shift = shiftOf(b.memory(op.getCounts()));
  }

  int64_t rows() const { return shapeOf(query)[0]; }
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
  Value foldColumns(function_ref<Value(Value, VectorType)> body, bool maximum = false) {
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
      Value equal = b.compare(arith::CmpIPredicate::eq, b.loadVector(integers, same, column),
                              b.broadcast(b.load(same, row), integers));
      left = left ? Value(arith::OrIOp::create(b, left, equal)) : equal;
    }
    if (!left)
      return value;
    Value others = b.compare(arith::CmpIPredicate::ne, numbersFrom(column, type),
                             b.broadcast(b.toI32(row), b.like(type, b.getI32Type())));
    return b.select(arith::AndIOp::create(b, left, others), b.splat(otherwise, type), value);
  }

  Value weight(Value row) { return weights ? b.load(weights, row) : Value(); }
  Value weightSum() { return weights ? total(b, weights) : b.f32(static_cast<double>(rows())); }

  Lowering &b;
  Value query, item;

private:
  /// column, column + 1, ...
  Value numbersFrom(Value column, VectorType type) {
    SmallVector<int32_t> lanes = llvm::to_vector(llvm::seq<int32_t>(0, type.getNumElements()));
    VectorType integers = b.like(type, b.getI32Type());
    Value steps = arith::ConstantOp::create(b, DenseElementsAttr::get(integers, ArrayRef<int32_t>(lanes)));
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
  Value shiftOf(Value counts) {
    Value result = b.allocateF32({mostColumns});
    b.rows(count, kExpCost, [&](Value u) {
      Value times = arith::SIToFPOp::create(b, b.getF32Type(), b.load(counts, u));
      Value log = math::LogOp::create(b, times);
      b.store(logQ ? b.sub(log, b.load(logQ, u)) : log, result, u);
    });
    return result;
  }

  Value ids, logQ, weights, queryIds, positives;
  Value shift; ///< Null where columns do not count.
  int64_t mostColumns;
  Value count;
  double inverseTemperature;
};

} // namespace

LogicalResult lower(Lowering &b, InBatchSoftmaxOp op) {
  Softmax softmax(b, op);
  Value lse = b.define(op.getLse()), loss = b.define(op.getLoss());
  Value terms = b.allocateF32({softmax.rows()});
  int64_t columns = softmax.columns();
  forBlocks(b, softmax.query, softmax.item, columns, [&](const Block &block) {
    forRows(b, block, columns * kExpCost, [&](Value local, Value row) {
      Value positive = softmax.positiveLogit(block, local, row);
      auto most = [&](Value column, VectorType type) -> Value {
        Value s = softmax.keep(row, column, type, softmax.logits(block, local, column, type),
                               -std::numeric_limits<float>::infinity());
        b.store(s, block.scores, {local, column});
        return s;
      };
      Value highest = softmax.foldColumns(most, /*maximum=*/true);
      if (softmax.leavesOutCopies())
        b.store(positive, block.scores, {local, softmax.positive(row)});
      Value sum = softmax.foldColumns([&](Value column, VectorType type) -> Value {
        Value s = b.loadVector(type, block.scores, {local, column});
        return math::ExpOp::create(b, b.sub(s, b.broadcast(highest, type)));
      });
      Value logSum = b.add(highest, math::LogOp::create(b, sum));
      b.store(logSum, lse, row);
      Value term = b.sub(logSum, positive);
      if (Value weight = softmax.weight(row))
        term = b.mul(term, weight);
      b.store(term, terms, row);
    });
  });
  b.store(b.div(total(b, terms), softmax.weightSum()), loss);
  return success();
}

LogicalResult lower(Lowering &b, InBatchSoftmaxGradOp op) {
  Softmax softmax(b, op);
  Value lse = b.memory(op.getLse());
  Value dq = b.define(op.getQueryGradient());
  b.fill(b.define(op.getItemGradient()), 0);
  Value dx = b.rowsInUse(op.getItemGradient());
  Value scale = b.div(b.mul(b.scalar(b.memory(op.getGradient())), b.f32(1 / op.getTemperature().convertToFloat())),
                      softmax.weightSum());
  forBlocks(b, softmax.query, softmax.item, softmax.columns(), [&](const Block &block) {
    // Scores become g w_i / (W temperature) (P_iu - [u = i]); both gradients are products with them.
    forRows(b, block, softmax.columns() * kExpCost, [&](Value local, Value row) {
      Value factor = softmax.weight(row) ? b.mul(scale, softmax.weight(row)) : scale;
      Value logSum = b.load(lse, row), positive = softmax.positive(row);
      Value logit = softmax.leavesOutCopies() ? softmax.positiveLogit(block, local, row) : Value();
      softmax.alongColumns([&](Value column, VectorType type) {
        Value s = b.sub(softmax.logits(block, local, column, type), b.broadcast(logSum, type));
        Value p = b.mul(math::ExpOp::create(b, s), b.broadcast(factor, type));
        b.store(softmax.keep(row, column, type, p, 0), block.scores, {local, column});
      });
      Value p =
          logit ? b.mul(math::ExpOp::create(b, b.sub(logit, logSum)), factor) : b.load(block.scores, {local, positive});
      b.store(b.sub(p, factor), block.scores, {local, positive});
    });
    b.product(block.scores, false, softmax.item, false, b.rowsOf(dq, block.first, block.count), false);
    b.product(block.scores, /*transposeA=*/true, b.rowsOf(softmax.query, block.first, block.count), false, dx,
              /*accumulate=*/true);
  });
  return success();
}

LogicalResult lower(Lowering &b, SpreadOutOp op) {
  Value z = b.memory(op.getInput()), loss = b.define(op.getLoss());
  int64_t count = shapeOf(z)[0];
  Value terms = b.allocateF32({count});
  forBlocks(b, z, z, count, [&](const Block &block) {
    forRows(b, block, count, [&](Value local, Value row) {
      b.store(b.f32(0), block.scores, {local, row});
      Value sum = b.fold(count, [&](Value column, VectorType type) {
        Value s = b.loadVector(type, block.scores, {local, column});
        return b.mul(s, s);
      });
      b.store(sum, terms, row);
    });
  });
  b.store(b.div(total(b, terms), b.f32(static_cast<double>(count))), loss);
  return success();
}

LogicalResult lower(Lowering &b, SpreadOutGradOp op) {
  Value z = b.memory(op.getInput()), dz = b.define(op.getResult());
  int64_t count = shapeOf(z)[0];
  Value scale = b.mul(b.scalar(b.memory(op.getGradient())), b.f32(4.0 / static_cast<double>(count)));
  forBlocks(b, z, z, count, [&](const Block &block) {
    forRows(b, block, count, [&](Value local, Value row) {
      b.vectors(count, [&](Value column, VectorType type) {
        Value s = b.loadVector(type, block.scores, {local, column});
        b.store(b.mul(s, b.broadcast(scale, type)), block.scores, {local, column});
      });
      b.store(b.f32(0), block.scores, {local, row});
    });
    b.product(block.scores, false, z, false, b.rowsOf(dz, block.first, block.count), false);
  });
  return success();
}

LogicalResult lower(Lowering &b, WeightedSumOp op) {
  Value sum;
  for (auto [input, weight] : llvm::zip(op.getInputs(), op.getWeights())) {
    Value term = b.mul(b.scalar(b.memory(input)), b.f32(weight));
    sum = sum ? b.add(sum, term) : term;
  }
  b.store(sum ? sum : b.f32(0), b.define(op.getResult()));
  return success();
}

} // namespace tower::lower
