// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Equal rows of a batch, found by all of a GPU's warps at once. The same numbers and the same order as one thread
// finds: rows are numbered as they come first, and what is grouped rises.
#ifndef TOWER_PASSES_LOWER_GROUPROWS_H
#define TOWER_PASSES_LOWER_GROUPROWS_H

#include "passes/lower/Lower.h"

namespace tower::lower {

/// A row, or -1 for none, for each of `keys` [n] becomes the row's number. `rows` receives the row of each number,
/// `counts` how often it came; both have room for all. Rows are below `limit`, if it is given. Returns how many are
/// distinct, never more than `most`.
Value numberRows(Lowering &b, Value keys, std::optional<int64_t> limit, int64_t most, Value rows, Value counts);

/// What a group is made of: from an entry's number in `numbers` to what is stored for it.
using EntryValue = llvm::function_ref<Value(Value entry)>;

/// order[starts[d]], ... has `value` of the entries with number d, rising. `counts` [d] is how many there are, and then
/// where d's end; `starts` has one element more than there may be numbers.
void groupEntries(Lowering &b, Value numbers, Value distinct, Value counts, Value starts, Value order,
                  EntryValue value);

} // namespace tower::lower

#endif
