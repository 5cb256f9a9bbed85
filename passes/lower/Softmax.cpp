// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of the in-batch softmax, of its gradient, and of both at once. A row of scores becomes logits, then
//     E_u = m_u exp(s_u - r)       with a reference r for all, and m_u how often column u was drawn
// then the coefficients with which queries and items are multiplied. Several pairs may share the row; each has its sum
// Z_i = sum_u E_u, in which its own positive counts once where copies are left out.
#include "passes/lower/FlashSoftmax.h"

using namespace mlir;

namespace tower::lower {
namespace {

/// Scores become logits; their maximum.
Value logits(Softmax &softmax, const ScoreRow &row) {
  auto each = [&](Value column, VectorType type) -> Value {
    Value s =
        softmax.keep(row.row, column, type, softmax.logits(row, column, type), -std::numeric_limits<float>::infinity());
    softmax.store(s, row, column);
    return s;
  };
  return softmax.foldColumns(each, /*maximum=*/true);
}

/// Logits become E; their sum.
Value exponentials(Softmax &softmax, const ScoreRow &row, Value reference) {
  Emitter &b = softmax.b;
  return softmax.foldColumns([&](Value column, VectorType type) -> Value {
    Value e = math::ExpOp::create(b, b.sub(softmax.load(row, column, type), b.broadcast(reference, type)));
    softmax.store(e, row, column);
    return e;
  });
}

/// E of a pair's positive, drawn once.
Value positiveOnce(Softmax &softmax, const ScoreRow &row, Value pair) {
  Value column = softmax.positive(pair);
  return softmax.b.div(softmax.load(row, column), softmax.timesDrawn(column));
}

/// Z_i. Other copies are left out by adding up again, never subtracted from the sum of all.
Value sumOf(Softmax &softmax, const ScoreRow &row, Value pair, Value all) {
  if (!softmax.leavesOutCopies())
    return all;
  Value column = softmax.positive(pair), copies = softmax.load(row, column);
  softmax.store(positiveOnce(softmax, row, pair), row, column);
  Value sum = softmax.foldColumns([&](Value u, VectorType type) { return softmax.load(row, u, type); });
  softmax.store(copies, row, column);
  return sum;
}

/// What the loss leaves of each pair.
struct Terms {
  Value losses; ///< w_i (log Z_i - s_i)
  Value lse;    ///< Null where nothing asks for it.
  Value sums;   ///< Z_i relative to the row's reference; null likewise.
};

/// Scores become E; the terms of the row's pairs.
void lossOf(Softmax &softmax, const ScoreRow &row, const Terms &terms) {
  Emitter &b = softmax.b;
  softmax.forPairs(row.row, [&](Value pair) { b.store(softmax.positiveLogit(row, pair), terms.losses, pair); });
  Value highest = logits(softmax, row), all = exponentials(softmax, row, highest);
  softmax.forPairs(row.row, [&](Value pair) {
    Value sum = sumOf(softmax, row, pair, all), logSum = b.add(highest, math::LogOp::create(b, sum));
    if (terms.lse)
      b.store(logSum, terms.lse, pair);
    if (terms.sums)
      b.store(sum, terms.sums, pair);
    Value term = b.sub(logSum, b.load(terms.losses, pair)), weight = softmax.weight(pair);
    b.store(weight ? b.mul(term, weight) : term, terms.losses, pair);
  });
}

/// E becomes g / (W temperature) dL/ds. With f_i = scale w_i / Z_i and scale = g / (W temperature) it is
///     A_u = E_u sum_i f_i - sum_{i: pos(i) = u} scale w_i
/// where copies are left out, in the columns of positives, term by term: those pairs count the column once.
class Gradient {
public:
  /// `sums` has Z_i and is overwritten by f_i.
  Gradient(Softmax &softmax, Value scale, Value sums) : softmax(softmax), b(softmax.b), scale(scale), sums(sums) {
    if (softmax.leavesOutCopies())
      corrected = softmax.b.allocateF32({softmax.numPairs});
  }

  void of(const ScoreRow &row) {
    Value all = softmax.forPairs(row.row, b.f32(0), [&](Value pair, ValueRange before) -> Values {
      Value f = b.div(weightOf(pair), b.load(sums, pair));
      b.store(f, sums, pair);
      return {b.add(before[0], f)};
    })[0];
    if (corrected)
      softmax.forPairs(row.row, [&](Value pair) { b.store(atPositive(row, pair), corrected, pair); });
    softmax.alongColumns([&](Value column, VectorType type) {
      softmax.store(b.mul(softmax.load(row, column, type), b.broadcast(all, type)), row, column);
    });
    softmax.forPairs(row.row, [&](Value pair) {
      Value column = softmax.positive(pair);
      Value a = corrected ? b.load(corrected, pair) : b.sub(softmax.load(row, column), weightOf(pair));
      softmax.store(a, row, column);
    });
  }

private:
  Value weightOf(Value pair) { return softmax.scaledWeight(scale, pair); }

  /// A_u of a pair's positive.
  Value atPositive(const ScoreRow &row, Value pair) {
    Value column = softmax.positive(pair), zero = b.f32(0), once = positiveOnce(softmax, row, pair);
    if (softmax.hasOnePairPerRow())
      return b.sub(b.mul(once, b.load(sums, pair)), weightOf(pair));
    SmallVector<Value> none(3, zero);
    Values parts = softmax.forPairs(row.row, none, [&](Value other, ValueRange before) -> Values {
      Value same = b.compare(arith::CmpIPredicate::eq, softmax.positive(other), column), f = b.load(sums, other);
      return {b.add(before[0], b.select(same, f, zero)), b.add(before[1], b.select(same, zero, f)),
              b.add(before[2], b.select(same, weightOf(other), zero))};
    });
    return b.sub(b.fma(softmax.load(row, column), parts[1], b.mul(once, parts[0])), parts[2]);
  }

  Softmax &softmax;
  Lowering &b;
  Value scale, sums;
  Value corrected; ///< A_u at each pair's positive.
};

/// Memory for both gradients; that of the queries'.
template <class Op> Value defineGradients(Lowering &b, Op op) {
  Value dq = b.define(op.getQueryGradient());
  b.define(op.getItemGradient());
  b.setRowCount(op.getQueryGradient(), b.rowCount(op.getQuery()));
  b.setRowCount(op.getItemGradient(), b.rowCount(op.getItem()));
  return dq;
}

/// g / (W temperature)
template <class Op> Value scaleOf(Lowering &b, Op op, Softmax &softmax) {
  Value g = b.mul(b.scalar(b.memory(op.getGradient())), b.f32(1 / op.getTemperature().convertToFloat()));
  return b.div(g, softmax.weightSum());
}

/// Makes queries' and items' gradients; `toExponentials` makes of each row of scores E, and of each of its pairs Z_i.
template <class Op>
void gradients(Lowering &b, Op op, Softmax &softmax, Value sums, function_ref<void(const ScoreRow &)> toExponentials) {
  Value dq = defineGradients(b, op);
  b.fill(b.memory(op.getItemGradient()), 0);
  Value dx = b.rowsInUse(op.getItemGradient());
  Gradient gradient(softmax, scaleOf(b, op, softmax), sums);
  auto eachRow = [&](const ScoreRow &row) {
    toExponentials(row);
    gradient.of(row);
  };
  softmax.forBlocks(eachRow, [&](const Block &block) {
    b.product(block.scores, false, softmax.item, false, b.rowsOf(dq, block.first, block.count), false);
    b.product(block.scores, /*transposeA=*/true, b.rowsOf(softmax.query, block.first, block.count), false, dx,
              /*accumulate=*/true);
  });
}

} // namespace

LogicalResult lower(Lowering &b, InBatchSoftmaxOp op) {
  Softmax softmax(b, op);
  Terms terms{b.allocateF32({softmax.numPairs}), b.define(op.getLse()), Value()};
  Value loss = b.define(op.getLoss());
  softmax.forBlocks([&](const ScoreRow &row) { lossOf(softmax, row, terms); }, [](const Block &) {});
  b.store(b.div(b.total(terms.losses), softmax.weightSum()), loss);
  return success();
}

LogicalResult lower(Lowering &b, InBatchSoftmaxGradOp op) {
  Softmax softmax(b, op);
  Value lse = b.memory(op.getLse()), sums = b.allocateF32({softmax.numPairs});
  gradients(b, op, softmax, sums, [&](const ScoreRow &row) {
    Value reference = b.load(lse, softmax.firstPair(row.row));
    logits(softmax, row);
    exponentials(softmax, row, reference);
    softmax.forPairs(
        row.row, [&](Value pair) { b.store(math::ExpOp::create(b, b.sub(b.load(lse, pair), reference)), sums, pair); });
  });
  return success();
}

LogicalResult lower(Lowering &b, InBatchSoftmaxWithGradOp op) {
  Softmax softmax(b, op);
  if (isSwept(b, softmax.query)) {
    Value loss = b.define(op.getLoss()), dq = defineGradients(b, op);
    Value losses = sweepSoftmax(b, softmax, scaleOf(b, op, softmax), dq, b.memory(op.getItemGradient()));
    b.store(b.div(b.total(losses), softmax.weightSum()), loss);
    return success();
  }
  Terms terms{b.allocateF32({softmax.numPairs}), Value(), b.allocateF32({softmax.numPairs})};
  Value loss = b.define(op.getLoss());
  gradients(b, op, softmax, terms.sums, [&](const ScoreRow &row) { lossOf(softmax, row, terms); });
  b.store(b.div(b.total(terms.losses), softmax.weightSum()), loss);
  return success();
}

} // namespace tower::lower
