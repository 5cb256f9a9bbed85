// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One sweep over the columns finds for each row of queries
//     r = max_u s_u     E_u = m_u exp(s_u - r)     Z = sum_u E_u     O = sum_u E_u x_u
// in one go: what was summed so far is multiplied by exp(r_before - r) where r grows. m_u is how often the column was
// drawn; but where copies of positives are left out, m_u = 1 for the positives of the row's pairs. Then each pair has a
// few numbers (p = pos(i), c_p its count; in sums over j each p once):
//     Z_i = Z + sum_{j: pos(j) != p} (c_pos(j) - 1) E_pos(j)     what copies of the others add
//     f_i = scale w_i / Z_i     F = sum_i f_i
//     C_i = (c_p - 1) E_p sum_{j: pos(j) != p} f_j - scale w_i   (the first term for one pair of each p)
//     dq  = F O + sum_i C_i x_p
// Nothing is subtracted from Z. A second sweep makes the scores again with queries and items in each other's place:
//     dx_u = sum_rows F E_u q + sum_{i: pos(i) = u} C_i q_i
#include "passes/lower/FlashSoftmax.h"
#include "passes/lower/ScoreTiles.h"
#include "passes/lower/SweptPairs.h"

#include <numbers>

using namespace mlir;

namespace tower::lower {
namespace {

class Flash {
public:
  Flash(Lowering &b, Softmax &softmax, Value scale, Value dq, Value dx)
      : b(b), softmax(softmax), pairs(b, softmax, scale), dq(dq), dx(dx), rowCount(b.extent(softmax.query, 0)),
        highest(b.allocateF32({softmax.mostRows})), sums(b.allocateF32({softmax.mostRows})),
        factors(b.allocateF32({softmax.mostRows})) {}

  Value run() {
    int64_t width = shapeOf(softmax.query)[1];
    overColumns();
    b.rows(rowCount, 4 * width, [&](Value row) { pairs.finishRow(row, highest, sums, factors, dq); });
    overRows();
    b.rows(softmax.count, width, [&](Value column) { pairs.finishColumn(column, dx); });
    return pairs.losses;
  }

private:
  Value inside(Value i, Value count) { return b.compare(arith::CmpIPredicate::slt, i, count); }

  /// What is added to a column's score, by its count and where it counts once; null for nothing.
  struct Shift {
    Value all, once;
  };
  Shift shiftOf(Value column) {
    Value logQ = softmax.logQ ? b.sub(b.f32(0), b.load(softmax.logQ, column)) : Value();
    if (!softmax.shift)
      return {logQ, Value()};
    Value alone = logQ ? logQ : b.f32(0);
    return {b.load(softmax.shift, column), softmax.leavesOutCopies() ? alone : Value()};
  }

  /// The ids by which columns are left out of rows.
  Values idsOf(Value number) {
    Values ids;
    for (Value all : {softmax.ids, softmax.queryIds})
      if (all && !softmax.shift)
        ids.push_back(b.load(all, number));
    return ids;
  }

  /// The logit of a row and a column, given the ids of both and the column's shift; -infinity where it does not count.
  Value logit(Value score, Value row, ValueRange idsOfRow, Value column, ValueRange idsOfColumn, Value shift,
              Value isThere) {
    Value inverse = b.f32(softmax.inverseTemperature);
    score = shift ? Value(math::FmaOp::create(b, score, inverse, shift)) : b.mul(score, inverse);
    Value leftOut;
    for (auto [mine, other] : llvm::zip(idsOfRow, idsOfColumn)) {
      Value same = b.compare(arith::CmpIPredicate::eq, mine, other);
      leftOut = leftOut ? Value(arith::OrIOp::create(b, leftOut, same)) : same;
    }
    Value none = b.f32(-std::numeric_limits<float>::infinity());
    if (leftOut)
      score = b.select(
          arith::AndIOp::create(b, leftOut, b.compare(arith::CmpIPredicate::ne, b.toI32(row), b.toI32(column))), none,
          score);
    return b.select(isThere, score, none);
  }

  /// exp(x), by the instruction for 2^x: to 2^-22 of the result, 0 for -infinity.
  Value power(Value x) {
    return math::Exp2Op::create(b, b.mul(x, b.f32(std::numbers::log2e)), arith::FastMathFlags::afn);
  }

  /// Whether a column, or a row, of the tile has its bit.
  Value hasBit(Value bits, Value column, Value first) {
    Value shifted = arith::ShRUIOp::create(b, bits, b.toI32(b.sub(column, first)));
    return arith::TruncIOp::create(b, b.getI1Type(), shifted);
  }

  /// The states of a lane's two rows, with those of their walks, if there are any.
  Values start(std::optional<Walk> &walk, Values states, ValueRange rows) {
    if (walk)
      for (Value row : rows)
        states.append(walk->start(row));
    return states;
  }
  /// For each of the two rows its bits in a tile; what the walks carry on goes to `after`.
  Values walk(std::optional<Walk> &walk, ValueRange rows, ValueRange states, Value first, Values &after) {
    Values result;
    for (auto [r, row] : llvm::enumerate(rows))
      if (walk) {
        auto [bits, next] = walk->bits(row, states.slice(Walk::kStates * r, Walk::kStates), first);
        result.push_back(bits);
        after.append(next);
      }
    return result;
  }

  void overColumns();
  void overRows();

  Lowering &b;
  Softmax &softmax;
  SweptPairs pairs;
  Value dq, dx, rowCount;
  Value highest, sums, factors; ///< Of rows: r, Z, F.
};

void Flash::overColumns() {
  ScoreSweep sweep(b, softmax.query, rowCount, softmax.mostRows, softmax.item, softmax.count);
  Value last = b.sub(softmax.count, b.index(1));
  Values rows;
  SmallVector<Values, 2> ids;
  sweep.initial = [&](ValueRange numbers) -> Values {
    rows = Values(numbers);
    ids = {idsOf(rows[0]), idsOf(rows[1])};
    // Far below every score, and a number: the difference of two infinities is none.
    Value low = b.f32(-1e30);
    return start(pairs.ofRows, {low, low, b.f32(0), b.f32(0)}, rows);
  };
  sweep.tile = [&](const ScoreTile &tile, ValueRange states) -> ScoreSweep::Step {
    Values walks, logits = tile.scores, highs(states.take_front(2));
    Values bits = walk(pairs.ofRows, rows, states.drop_front(4), tile.first, walks);
    Values tileHighs(2, b.f32(-std::numeric_limits<float>::infinity()));
    for (int64_t c = 0; c < ScoreTile::kColumnsOfLane; ++c) {
      Value number = tile.columns[c], column = b.min(number, last), isThere = inside(number, softmax.count);
      Shift shift = shiftOf(column);
      Values idsOfColumn = idsOf(column);
      for (int64_t r = 0; r < 2; ++r) {
        Value &s = logits[ScoreTile::at(r, c)];
        Value added = bits.empty() ? shift.all : b.select(hasBit(bits[r], number, tile.first), shift.once, shift.all);
        s = logit(s, rows[r], ids[r], column, idsOfColumn, added, isThere);
        tileHighs[r] = b.max(s, tileHighs[r]);
      }
    }
    Values scales, sumsAfter;
    for (int64_t r = 0; r < 2; ++r) {
      highs[r] = b.max(sweep.acrossRow(tileHighs[r], /*maximum=*/true), highs[r]);
      scales.push_back(power(b.sub(states[r], highs[r])));
      Value sum = b.f32(0);
      for (int64_t c = 0; c < ScoreTile::kColumnsOfLane; ++c) {
        Value &s = logits[ScoreTile::at(r, c)];
        s = power(b.sub(s, highs[r]));
        sum = b.add(sum, s);
      }
      sumsAfter.push_back(b.fma(states[2 + r], scales[r], sweep.acrossRow(sum, /*maximum=*/false)));
    }
    Values after{highs[0], highs[1], sumsAfter[0], sumsAfter[1]};
    after.append(walks);
    return {logits, after, scales};
  };
  sweep.finish = [&](int64_t r, Value row, ValueRange states) {
    b.store(states[r], highest, row);
    b.store(states[2 + r], sums, row);
  };
  sweep.run(dq);
}

void Flash::overRows() {
  ScoreSweep sweep(b, softmax.item, softmax.count, softmax.mostColumns, softmax.query, rowCount);
  Value last = b.sub(rowCount, b.index(1));
  Values columns;
  SmallVector<Values, 2> ids;
  SmallVector<Shift, 2> shifts;
  sweep.initial = [&](ValueRange numbers) -> Values {
    columns = Values(numbers);
    ids = {idsOf(columns[0]), idsOf(columns[1])};
    shifts = {shiftOf(columns[0]), shiftOf(columns[1])};
    return start(pairs.ofColumns, {}, columns);
  };
  sweep.tile = [&](const ScoreTile &tile, ValueRange states) -> ScoreSweep::Step {
    Values walks, logits = tile.scores;
    Values bits = walk(pairs.ofColumns, columns, states, tile.first, walks);
    for (int64_t c = 0; c < ScoreTile::kColumnsOfLane; ++c) {
      Value number = tile.columns[c], row = b.min(number, last), isThere = inside(number, rowCount);
      Values idsOfRow = idsOf(row);
      Value high = b.load(highest, row), factor = b.load(factors, row);
      for (int64_t u = 0; u < 2; ++u) {
        Value &s = logits[ScoreTile::at(u, c)];
        Value added = shifts[u].all;
        if (!bits.empty())
          added = b.select(hasBit(bits[u], number, tile.first), shifts[u].once, added);
        s = logit(s, row, idsOfRow, columns[u], ids[u], added, isThere);
        s = b.mul(power(b.sub(s, high)), factor);
      }
    }
    return {logits, walks, {}};
  };
  sweep.run(dx);
}

} // namespace

bool isSwept(Lowering &b, Value query) { return b.onGpu() && shapeOf(query)[1] <= kMostSweptWidth; }

Value sweepSoftmax(Lowering &b, Softmax &softmax, Value scale, Value dq, Value dx) {
  return Flash(b, softmax, scale, dq, dx).run();
}

} // namespace tower::lower
