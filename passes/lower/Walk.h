// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which columns of a tile are the positives of a row's pairs, or which rows have a column as theirs: a lane walks along
// them as the tiles go by, so that a tile costs a comparison, however many pairs there are.
#ifndef TOWER_PASSES_LOWER_WALK_H
#define TOWER_PASSES_LOWER_WALK_H

#include "passes/lower/Lower.h"

namespace tower::lower {

class Walk {
public:
  /// places[starts[i]], ..., places[starts[i + 1] - 1] are i's places, rising.
  Walk(Lowering &b, Value starts, Value places) : b(b), starts(starts), places(places) {}

  /// Values that a lane carries from tile to tile.
  static constexpr int64_t kStates = 2;
  Values start(Value i) {
    Value at = b.load(starts, i);
    return {at, placeAt(at, i)};
  }
  /// An i32 with a bit for each of the 32 places from `first` on that i has, and the states behind them.
  std::pair<Value, Values> bits(Value i, ValueRange states, Value first);

private:
  Value placeAt(Value at, Value i);

  Lowering &b;
  Value starts, places;
};

} // namespace tower::lower

#endif
