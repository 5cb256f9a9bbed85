// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which pairs have each row of queries, where equal queries are one row.
#ifndef TOWER_PASSES_LOWER_PAIRSOFROWS_H
#define TOWER_PASSES_LOWER_PAIRSOFROWS_H

#include "passes/lower/Lower.h"

namespace tower::lower {

class PairsOfRows {
public:
  /// `rowOf` has the row of each pair; `count` of at most `mostRows` rows are in use. On a GPU pairs may be taken in
  /// another order than by their numbers: that in which they are in `order`, if it is not null.
  PairsOfRows(Lowering &b, Value rowOf, int64_t mostRows, Value count, Value order = {});

  /// The pairs of a row, in the order in which they were taken.
  void of(Value row, Emitter::Body body) {
    b.loop(start(row), end(row), 1, [&](Value i) { body(at(i)); });
  }
  Values of(Value row, ValueRange initial, llvm::function_ref<Values(Value, ValueRange)> body) {
    return b.loop(start(row), end(row), 1, initial, [&](Value i, ValueRange before) { return body(at(i), before); });
  }
  Value firstOf(Value row) { return at(start(row)); }

  /// order[starts[row]], ..., order[starts[row + 1] - 1] are the pairs of a row.
  Value starts, order;

private:
  Value start(Value row) { return b.toIndex(b.load(starts, row)); }
  Value end(Value row) { return start(b.add(row, b.index(1))); }
  Value at(Value i) { return b.toIndex(b.load(order, i)); }

  Lowering &b;
};

} // namespace tower::lower

#endif
