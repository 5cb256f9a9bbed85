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

/// For each block of rows of `left`: the scores left right^T.
void forBlocks(Lowering &b, Value left, Value right, function_ref<void(const Block &)> body) {
  int64_t rows = shapeOf(left)[0], size = chooseBlockRows(rows, shapeOf(right)[0]);
  Value scratch = b.allocateF32({size, shapeOf(right)[0]});
  auto block = [&](Value first, OpFoldResult count) {
    Value scores = isa<Attribute>(count) ? scratch : b.rowsOf(scratch, b.getIndexAttr(0), count);
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
      : b(b), query(b.memory(op.getQuery())), item(b.memory(op.getItem())), ids(b.memory(op.getIds())),
        logQ(b.memory(op.getLogQ())), weights(b.memory(op.getWeights())),
        inverseTemperature(1 / op.getTemperature().convertToFloat()) {
    if (op.getQueryIds())
      queryIds = padded(b.memory(op.getQueryIds()));
  }

  int64_t rows() const { return shapeOf(query)[0]; }
  int64_t columns() const { return shapeOf(item)[0]; }

  /// Scaled and corrected scores at a place of a block.
  Value logits(const Block &block, Value local, Value column, VectorType type) {
    Value s = b.mul(b.loadVector(type, block.scores, {local, column}), b.splat(inverseTemperature, type));
    return logQ ? b.sub(s, b.loadVector(type, logQ, column)) : s;
  }

  /// `value`, but `otherwise` in the columns that are left out of the row.
  Value keep(Value row, Value column, VectorType type, Value value, double otherwise) {
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

  Value ids, logQ, weights, queryIds;
  double inverseTemperature;
};

} // namespace

LogicalResult lower(Lowering &b, InBatchSoftmaxOp op) {
  Softmax softmax(b, op);
  Value lse = b.define(op.getLse()), loss = b.define(op.getLoss());
  Value terms = b.allocateF32({softmax.rows()});
  int64_t columns = softmax.columns();
  forBlocks(b, softmax.query, softmax.item, [&](const Block &block) {
    forRows(b, block, columns * kExpCost, [&](Value local, Value row) {
      auto most = [&](Value column, VectorType type) -> Value {
        Value s = softmax.keep(row, column, type, softmax.logits(block, local, column, type),
                               -std::numeric_limits<float>::infinity());
        b.store(s, block.scores, {local, column});
        return s;
      };
      Value highest = b.fold(columns, most, /*maximum=*/true);
      Value sum = b.fold(columns, [&](Value column, VectorType type) -> Value {
        Value s = b.loadVector(type, block.scores, {local, column});
        return math::ExpOp::create(b, b.sub(s, b.broadcast(highest, type)));
      });
      Value logSum = b.add(highest, math::LogOp::create(b, sum));
      b.store(logSum, lse, row);
      Value term = b.sub(logSum, b.load(block.scores, {local, row}));
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
  Value dq = b.define(op.getQueryGradient()), dx = b.define(op.getItemGradient());
  Value scale = b.div(b.mul(b.scalar(b.memory(op.getGradient())), b.f32(1 / op.getTemperature().convertToFloat())),
                      softmax.weightSum());
  b.fill(dx, 0);
  forBlocks(b, softmax.query, softmax.item, [&](const Block &block) {
    // Scores become g w_i / (W temperature) (P_iu - [u = i]); both gradients are products with them.
    forRows(b, block, softmax.columns() * kExpCost, [&](Value local, Value row) {
      Value factor = softmax.weight(row) ? b.mul(scale, softmax.weight(row)) : scale;
      Value logSum = b.load(lse, row);
      b.vectors(softmax.columns(), [&](Value column, VectorType type) {
        Value s = b.sub(softmax.logits(block, local, column, type), b.broadcast(logSum, type));
        Value p = b.mul(math::ExpOp::create(b, s), b.broadcast(factor, type));
        b.store(softmax.keep(row, column, type, p, 0), block.scores, {local, column});
      });
      b.store(b.sub(b.load(block.scores, {local, row}), factor), block.scores, {local, row});
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
  forBlocks(b, z, z, [&](const Block &block) {
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
  forBlocks(b, z, z, [&](const Block &block) {
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
