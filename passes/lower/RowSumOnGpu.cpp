// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row gradients by row on a GPU: all warps find and order the entries (GroupRows), and rows that came often are summed
// by many of them.
#include "passes/lower/GroupRows.h"
#include "passes/lower/RowSum.h"

using namespace mlir;

namespace tower::lower {

/// The position of an entry.
Value RowSum::positionOf(Value entry) {
  Value result;
  for (Share &share : shares) {
    Value local = b.sub(entry, b.index(share.firstEntry));
    Value position = b.add(b.div(local, b.index(share.single ? 1 : share.longest)), b.index(share.firstPosition));
    Value here = b.compare(arith::CmpIPredicate::uge, entry, b.index(share.firstEntry));
    result = result ? b.select(here, position, result) : position;
  }
  return b.toI32(result);
}

void RowSum::groupOnGpu(Value rows) {
  b.elements(b.index(entries), 1, [&](Value entry) { b.store(b.integer(-1, 32), rowOfEntry, entry); });
  b.independent([&] {
    for (Share &share : shares)
      writeEntries(share);
  });
  distinct = numberRows(b, rowOfEntry, tableRows, bound(), rows, ends);
  Value starts = b.allocate({bound() + 1}, b.getI32Type());
  groupEntries(b, rowOfEntry, distinct, ends, starts, order, [&](Value entry) { return positionOf(entry); });
  sumWindows(b.toIndex(b.load(starts, distinct)));
}

/// The number of the row that has a place in `order`.
Value RowSum::rowAt(Value place) {
  Value one = b.index(1);
  return b.whileLoop(
      {b.index(0), b.sub(distinct, one)},
      [&](ValueRange range) -> Value { return b.compare(arith::CmpIPredicate::slt, range[0], range[1]); },
      [&](ValueRange range) -> Values {
        Value middle = b.div(b.add(range[0], range[1]), b.index(2));
        Value isBelow = b.compare(arith::CmpIPredicate::sle, b.toIndex(b.load(ends, middle)), place);
        return {b.select(isBelow, b.add(middle, one), range[0]), b.select(isBelow, range[1], middle)};
      })[0];
}

/// Warps of their own sum the windows of rows that came often, as of a feature's few values.
void RowSum::sumWindows(Value total) {
  int64_t most = entries / b.chain();
  if (most < 2)
    return;
  Value size = b.index(b.chain()), used = b.div(total, size), memory = b.allocateF32({most, dim});
  b.bound(used, most);
  b.rows(used, b.chain() * dim, [&](Value window) {
    Value begin = b.mul(window, size), end = b.add(begin, size);
    Value isOfOne = b.compare(arith::CmpIPredicate::eq, rowAt(begin), rowAt(b.sub(end, b.index(1))));
    b.ifThen(isOfOne, [&] {
      forColumns([&](Value from, int64_t width) {
        SummedColumns columns = sum(begin, end, from, width);
        for (auto [part, sum] : llvm::zip(columns.parts, columns.sums))
          b.store(sum, memory, {window, part.column});
      });
    });
  });
  windows = memory;
}

} // namespace tower::lower
