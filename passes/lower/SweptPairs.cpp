// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/lower/SweptPairs.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace tower::lower {

SweptPairs::SweptPairs(Lowering &b, Softmax &softmax, Value scale)
    : b(b), softmax(softmax), scale(scale), width(shapeOf(softmax.query)[1]) {
  for (Value *numbers : {&losses, &once, &copies, &factors, &corrections})
    *numbers = b.allocateF32({softmax.numPairs});
  if (!softmax.positives)
    return;
  const PairsOfRows *rows = softmax.pairsOfRows();
  pairsOfColumns.emplace(b, softmax.positives, softmax.mostColumns, softmax.count, rows ? rows->order : Value());
  if (!softmax.leavesOutCopies())
    return;
  // Where each query has one pair, the pair's number is its row.
  Value pairs = b.index(softmax.numPairs), rowsOfColumns = pairsOfColumns->order, positives = softmax.positives;
  if (rows) {
    rowsOfColumns = b.allocate({softmax.numPairs}, b.getI32Type());
    b.elements(pairs, 2, [&](Value i) {
      Value pair = b.toIndex(b.load(pairsOfColumns->order, i));
      b.store(b.load(softmax.queryRows, pair), rowsOfColumns, i);
    });
    positives = sortedPositives();
  }
  Value starts = rows ? rows->starts : b.allocate({softmax.numPairs + 1}, b.getI32Type());
  if (!rows)
    b.elements(b.index(softmax.numPairs + 1), 1, [&](Value i) { b.store(b.toI32(i), starts, i); });
  ofRows.emplace(b, starts, positives);
  ofColumns.emplace(b, pairsOfColumns->starts, rowsOfColumns);
}

/// The positives of each row's pairs, rising. Rows have few: each lane ranks one of them among all.
Value SweptPairs::sortedPositives() {
  const PairsOfRows &rows = *softmax.pairsOfRows();
  Value result = b.allocate({softmax.numPairs}, b.getI32Type());
  auto at = [&](Value i) { return b.load(softmax.positives, b.toIndex(b.load(rows.order, i))); };
  b.rows(b.extent(softmax.query, 0), 4, [&](Value row) {
    Value begin = b.toIndex(b.load(rows.starts, row)), end = b.toIndex(b.load(rows.starts, b.add(row, b.index(1))));
    b.inLanes([&] {
      b.loop(b.add(begin, b.lane()), end, kWarp, [&](Value i) {
        Value mine = at(i);
        Value rank = b.loop(begin, end, 1, begin, [&](Value j, ValueRange before) -> Values {
          Value other = at(j), equal = b.compare(arith::CmpIPredicate::eq, other, mine);
          Value less =
              arith::OrIOp::create(b, b.compare(arith::CmpIPredicate::slt, other, mine),
                                   arith::AndIOp::create(b, equal, b.compare(arith::CmpIPredicate::slt, j, i)));
          return {b.add(before[0], b.select(less, b.index(1), b.index(0)))};
        })[0];
        b.store(mine, result, rank);
      });
    });
  });
  return result;
}

/// The sum of `numbers` over the row's pairs with another positive than this.
Value SweptPairs::sumOfOthers(Value row, Value positive, Value numbers) {
  return softmax.forPairs(row, b.f32(0), [&](Value other, ValueRange before) -> Values {
    Value same = b.compare(arith::CmpIPredicate::eq, softmax.positive(other), positive);
    return {b.add(before[0], b.select(same, b.f32(0), b.load(numbers, other)))};
  })[0];
}

/// (c_p - 1) E_p, for the first pair of each positive.
void SweptPairs::countCopies(Value row) {
  softmax.forPairs(row, [&](Value pair) {
    Value positive = softmax.positive(pair);
    Value before = softmax.forPairs(row, b.integer(0, 32), [&](Value other, ValueRange found) -> Values {
      Value earlier = arith::AndIOp::create(b, b.compare(arith::CmpIPredicate::slt, other, pair),
                                            b.compare(arith::CmpIPredicate::eq, softmax.positive(other), positive));
      return {b.select(earlier, b.integer(1, 32), found[0])};
    })[0];
    Value more = b.mul(b.sub(softmax.timesDrawn(positive), b.f32(1)), b.load(once, pair));
    b.store(b.select(b.compare(arith::CmpIPredicate::eq, before, b.integer(0, 32)), more, b.f32(0)), copies, pair);
  });
}

void SweptPairs::finishRow(Value row, Value highest, Value sums, Value rowFactors, Value dq) {
  Value high = b.load(highest, row), sum = b.load(sums, row);
  softmax.forPairs(row, [&](Value pair) {
    Value positive = softmax.positive(pair);
    Value score = b.fold(width, [&](Value column, VectorType type) {
      return b.mul(b.loadVector(type, softmax.query, {row, column}),
                   b.loadVector(type, softmax.item, {positive, column}));
    });
    score = b.mul(score, b.f32(softmax.inverseTemperature));
    if (softmax.logQ)
      score = b.sub(score, b.load(softmax.logQ, positive));
    b.store(score, losses, pair);
    b.store(math::ExpOp::create(b, b.sub(score, high)), once, pair);
  });
  bool othersHaveCopies = softmax.leavesOutCopies() && !softmax.hasOnePairPerRow();
  if (othersHaveCopies)
    countCopies(row);
  Value all = softmax.forPairs(row, b.f32(0), [&](Value pair, ValueRange before) -> Values {
    Value ofPair = othersHaveCopies ? b.add(sum, sumOfOthers(row, softmax.positive(pair), copies)) : sum;
    Value term = b.sub(b.add(high, math::LogOp::create(b, ofPair)), b.load(losses, pair));
    Value weight = softmax.weight(pair), f = b.div(scaledWeight(pair), ofPair);
    b.store(weight ? b.mul(term, weight) : term, losses, pair);
    b.store(f, factors, pair);
    return {b.add(before[0], f)};
  })[0];
  b.store(all, rowFactors, row);
  softmax.forPairs(row, [&](Value pair) {
    Value correction = b.sub(b.f32(0), scaledWeight(pair));
    if (othersHaveCopies)
      correction = b.fma(b.load(copies, pair), sumOfOthers(row, softmax.positive(pair), factors), correction);
    b.store(correction, corrections, pair);
  });
  b.vectors(width, [&](Value column, VectorType type) {
    Value start = b.mul(b.loadVector(type, dq, {row, column}), b.broadcast(all, type));
    Value x = softmax.forPairs(row, start, [&](Value pair, ValueRange before) -> Values {
      Value item = b.loadVector(type, softmax.item, {softmax.positive(pair), column});
      return {b.fma(b.broadcast(b.load(corrections, pair), type), item, before[0])};
    })[0];
    b.store(x, dq, {row, column});
  });
}

void SweptPairs::finishColumn(Value u, Value dx) {
  auto add = [&](Value pair, Value column, VectorType type, Value to) {
    Value q = b.loadVector(type, softmax.query, {rowOf(pair), column});
    return b.fma(b.broadcast(b.load(corrections, pair), type), q, to);
  };
  auto all = [&] {
    b.vectors(width, [&](Value column, VectorType type) {
      Value x = b.loadVector(type, dx, {u, column});
      if (pairsOfColumns)
        x = pairsOfColumns->of(
            u, x, [&](Value pair, ValueRange before) -> Values { return {add(pair, column, type, before[0])}; })[0];
      else
        x = add(u, column, type, x);
      b.store(x, dx, {u, column});
    });
  };
  pairsOfColumns ? all() : b.ifThen(b.compare(arith::CmpIPredicate::slt, u, b.index(softmax.numPairs)), all);
}

} // namespace tower::lower
