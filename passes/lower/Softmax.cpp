// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of the in-batch softmax and its gradient.
#include "passes/lower/Softmax.h"

using namespace mlir;

namespace tower::lower {
namespace {

/// Scores become g / (W temperature) dL/ds; the gradients of queries and items are products with them.
class Coefficients {
public:
  /// `scale` = g / (W temperature).
  Coefficients(Softmax &softmax, Value lse, Value scale) : softmax(softmax), b(softmax.b), lse(lse), scale(scale) {
    if (softmax.pairs) {
      factors = b.allocateF32({softmax.rows()});
      corrected = b.allocateF32({softmax.rows()});
    }
  }

  /// scale w_i (P_iu - [u = pos(i)]) where row i is pair i.
  void ofPair(const Block &block, Value local, Value row) {
    Value weight = weightOf(row), logSum = b.load(lse, row), positive = softmax.positive(row);
    Value logit = softmax.leavesOutCopies() ? softmax.positiveLogit(block, local, row) : Value();
    softmax.alongColumns([&](Value column, VectorType type) {
      Value p = exponential(block, local, column, type, logSum, weight);
      b.store(softmax.keep(row, column, type, p, 0), block.scores, {local, column});
    });
    Value p =
        logit ? b.mul(math::ExpOp::create(b, b.sub(logit, logSum)), weight) : b.load(block.scores, {local, positive});
    b.store(b.sub(p, weight), block.scores, {local, positive});
  }

  /// The sum of that over the pairs of row k. With f_i = scale w_i / Z_i, up to a common factor:
  ///     A_ku = c_u exp(s_ku) sum_i f_i - sum_{i: pos(i) = u} scale w_i
  /// where copies are left out, in the columns of positives, term by term: those pairs count the column once.
  void ofPairs(const Block &block, Value local, Value row) {
    PairsOfRows &pairs = *softmax.pairs;
    Value reference = b.load(lse, pairs.firstOf(row));
    Value all = pairs.of(row, b.f32(0), [&](Value pair, ValueRange before) -> Values {
      Value f = b.mul(weightOf(pair), math::ExpOp::create(b, b.sub(reference, b.load(lse, pair))));
      b.store(f, factors, pair);
      return {b.add(before[0], f)};
    })[0];
    if (softmax.leavesOutCopies())
      pairs.of(row, [&](Value pair) { b.store(ofPositive(block, local, row, pair, reference), corrected, pair); });
    softmax.alongColumns([&](Value column, VectorType type) {
      b.store(exponential(block, local, column, type, reference, all), block.scores, {local, column});
    });
    pairs.of(row, [&](Value pair) {
      Value positive = softmax.positive(pair);
      Value a = softmax.leavesOutCopies() ? b.load(corrected, pair)
                                          : b.sub(b.load(block.scores, {local, positive}), weightOf(pair));
      b.store(a, block.scores, {local, positive});
    });
  }

private:
  /// scale w_i
  Value weightOf(Value pair) {
    Value weight = softmax.weight(pair);
    return weight ? b.mul(scale, weight) : scale;
  }

  /// factor c_u exp(s_u - logSum)
  Value exponential(const Block &block, Value local, Value column, VectorType type, Value logSum, Value factor) {
    Value s = b.sub(softmax.logits(block, local, column, type), b.broadcast(logSum, type));
    return b.mul(math::ExpOp::create(b, s), b.broadcast(factor, type));
  }

  /// A_ku of the column u that is a pair's positive.
  Value ofPositive(const Block &block, Value local, Value row, Value pair, Value reference) {
    Value column = softmax.positive(pair), zero = b.f32(0);
    Values sums = softmax.pairs->of(row, ValueRange{zero, zero, zero}, [&](Value other, ValueRange before) -> Values {
      Value same = b.compare(arith::CmpIPredicate::eq, softmax.positive(other), column), f = b.load(factors, other);
      return {b.add(before[0], b.select(same, f, zero)), b.add(before[1], b.select(same, zero, f)),
              b.add(before[2], b.select(same, weightOf(other), zero))};
    });
    Value e = math::ExpOp::create(b, b.sub(softmax.positiveLogit(block, local, pair), reference));
    return b.sub(b.mul(e, b.fma(softmax.timesDrawn(column), sums[1], sums[0])), sums[2]);
  }

  Softmax &softmax;
  Lowering &b;
  Value lse, scale;
  Value factors;   ///< f_i of each pair.
  Value corrected; ///< A_ku at each pair's positive.
};

} // namespace

LogicalResult lower(Lowering &b, InBatchSoftmaxOp op) {
  Softmax softmax(b, op);
  Value lse = b.define(op.getLse()), loss = b.define(op.getLoss());
  Value terms = b.allocateF32({softmax.rows()});
  auto finish = [&](Value pair, Value highest, Value sum, Value positive) {
    Value logSum = b.add(highest, math::LogOp::create(b, sum));
    b.store(logSum, lse, pair);
    Value term = b.sub(logSum, positive);
    Value weight = softmax.weight(pair);
    b.store(weight ? b.mul(term, weight) : term, terms, pair);
  };
  softmax.forBlocks([&](const Block &block) {
    forRows(b, block, softmax.columns() * kExpCost, [&](Value local, Value row) {
      auto logits = [&] {
        return softmax.foldColumns(
            [&](Value column, VectorType type) -> Value {
              Value s = softmax.keep(row, column, type, softmax.logits(block, local, column, type),
                                     -std::numeric_limits<float>::infinity());
              b.store(s, block.scores, {local, column});
              return s;
            },
            /*maximum=*/true);
      };
      auto exponentials = [&](Value highest, bool stored) {
        return softmax.foldColumns([&](Value column, VectorType type) -> Value {
          Value e = math::ExpOp::create(
              b, b.sub(b.loadVector(type, block.scores, {local, column}), b.broadcast(highest, type)));
          if (stored)
            b.store(e, block.scores, {local, column});
          return e;
        });
      };
      if (!softmax.pairs) {
        Value positive = softmax.positiveLogit(block, local, row), highest = logits();
        if (softmax.leavesOutCopies())
          b.store(positive, block.scores, {local, softmax.positive(row)});
        return finish(row, highest, exponentials(highest, /*stored=*/false), positive);
      }
      softmax.pairs->of(row, [&](Value pair) { b.store(softmax.positiveLogit(block, local, pair), terms, pair); });
      Value highest = logits(), counted = exponentials(highest, /*stored=*/softmax.leavesOutCopies());
      softmax.pairs->of(row, [&](Value pair) {
        Value positive = b.load(terms, pair);
        if (!softmax.leavesOutCopies())
          return finish(pair, highest, counted, positive);
        // The other copies are left out of the sum by adding up again, never subtracted from it.
        Value column = softmax.positive(pair), copies = b.load(block.scores, {local, column});
        b.store(math::ExpOp::create(b, b.sub(positive, highest)), block.scores, {local, column});
        Value sum = softmax.foldColumns([&](Value u, VectorType type) {
          return b.loadVector(type, block.scores, {local, u});
        });
        b.store(copies, block.scores, {local, column});
        finish(pair, highest, sum, positive);
      });
    });
  });
  b.store(b.div(b.total(terms), softmax.weightSum()), loss);
  return success();
}

LogicalResult lower(Lowering &b, InBatchSoftmaxGradOp op) {
  Softmax softmax(b, op);
  Value dq = b.define(op.getQueryGradient());
  b.fill(b.define(op.getItemGradient()), 0);
  b.setRowCount(op.getQueryGradient(), b.rowCount(op.getQuery()));
  b.setRowCount(op.getItemGradient(), b.rowCount(op.getItem()));
  Value dx = b.rowsInUse(op.getItemGradient());
  Value scale = b.div(b.mul(b.scalar(b.memory(op.getGradient())), b.f32(1 / op.getTemperature().convertToFloat())),
                      softmax.weightSum());
  Coefficients coefficients(softmax, b.memory(op.getLse()), scale);
  softmax.forBlocks([&](const Block &block) {
    forRows(b, block, softmax.columns() * kExpCost, [&](Value local, Value row) {
      softmax.pairs ? coefficients.ofPairs(block, local, row) : coefficients.ofPair(block, local, row);
    });
    b.product(block.scores, false, softmax.item, false, b.rowsOf(dq, block.first, block.count), false);
    b.product(block.scores, /*transposeA=*/true, b.rowsOf(softmax.query, block.first, block.count), false, dx,
              /*accumulate=*/true);
  });
  return success();
}

} // namespace tower::lower
