// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gives rows numbers in the order of their first appearance.
#ifndef TOWER_PASSES_LOWER_ROWNUMBERS_H
#define TOWER_PASSES_LOWER_ROWNUMBERS_H

#include "passes/lower/Lower.h"

#include <optional>

namespace tower::lower {

/// Numbers up to `entries` rows through a hash table with linear probing, or with a slot for each row where rows are
/// known to be below a small limit. Sequential.
class RowNumbers {
public:
  /// `rows` [distinct] receives the row of each number, `sizes` [distinct] how often it came.
  RowNumbers(Lowering &b, int64_t entries, std::optional<int64_t> limit, Value rows, Value sizes);

  /// Forgets all rows. Once, before the first one.
  void clear();
  /// The number of a row, and how many distinct rows there are with it (before it: `distinct`).
  Values number(Value row, Value distinct);

private:
  Value slotOf(Value row);

  Lowering &b;
  Value rows, sizes;
  int64_t slotBits;
  bool direct;
  Value slots; ///< number + 1 of a row, 0: none
};

} // namespace tower::lower

#endif
