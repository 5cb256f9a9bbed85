// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the pairs of a softmax add to what its two sweeps sum (FlashSoftmax.cpp has the formulas).
#ifndef TOWER_PASSES_LOWER_SWEPTPAIRS_H
#define TOWER_PASSES_LOWER_SWEPTPAIRS_H

#include "passes/lower/Softmax.h"
#include "passes/lower/Walk.h"

namespace tower::lower {

class SweptPairs {
public:
  SweptPairs(Lowering &b, Softmax &softmax, Value scale);

  /// Of a row of queries the largest logit r and the sum Z to its pairs' losses, the row's factor F; dq has O before.
  void finishRow(Value row, Value highest, Value sums, Value factors, Value dq);
  /// Adds to the gradient of an item what the pairs do whose positive it is.
  void finishColumn(Value column, Value dx);

  Value losses; ///< Of pairs, weighted.
  /// Where copies are left out, the positives of a row, and the rows that have a column as theirs.
  std::optional<Walk> ofRows, ofColumns;

private:
  Value rowOf(Value pair) { return softmax.queryRows ? b.toIndex(b.load(softmax.queryRows, pair)) : pair; }
  Value sortedPositives();
  void countCopies(Value row);
  Value sumOfOthers(Value row, Value positive, Value numbers);
  Value scaledWeight(Value pair) { return softmax.scaledWeight(scale, pair); }

  Lowering &b;
  Softmax &softmax;
  Value scale;
  int64_t width;
  Value once, copies, factors, corrections;  ///< Of pairs: E_p, (c_p - 1) E_p, f_i, C_i.
  std::optional<PairsOfRows> pairsOfColumns; ///< Where a pair's positive is not the column of its number.
};

} // namespace tower::lower

#endif
