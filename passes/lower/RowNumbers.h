// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gives rows numbers in the order of their first appearance.
#ifndef TOWER_PASSES_LOWER_ROWNUMBERS_H
#define TOWER_PASSES_LOWER_ROWNUMBERS_H

#include "passes/lower/Lower.h"

#include <optional>

namespace tower::lower {

/// A hash table of rows with linear probing, at most half full, or a slot for each row where rows are known to be below
/// a small limit.
struct RowTable {
  RowTable(int64_t entries, std::optional<int64_t> limit);

  /// The slot of a row, or the first one to look at: an index.
  Value start(Emitter &b, Value row) const;
  /// The slot to look at behind `slot`.
  Value next(Emitter &b, Value slot) const;

  bool direct;   ///< No two rows have one slot.
  int64_t slots; ///< A power of two unless direct.
};

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
  RowTable table;
  Value slots; ///< number + 1 of a row, 0: none
};

} // namespace tower::lower

#endif
