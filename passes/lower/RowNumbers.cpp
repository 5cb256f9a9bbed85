// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/lower/RowNumbers.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;

namespace tower::lower {

static int64_t bitsFor(int64_t entries) { return std::max<int64_t>(1, llvm::Log2_64_Ceil(2 * entries)); }

RowTable::RowTable(int64_t entries, std::optional<int64_t> limit)
    : direct(limit && *limit <= int64_t(1) << bitsFor(entries)),
      slots(direct ? *limit : int64_t(1) << bitsFor(entries)) {}

Value RowTable::start(Emitter &b, Value row) const {
  if (direct)
    return b.toIndex(row);
  Value product = b.mul(row, b.integer(static_cast<int32_t>(0x9E3779B1u), 32));
  Value hash = arith::ShRUIOp::create(b, product, b.integer(32 - static_cast<int64_t>(llvm::Log2_64(slots)), 32));
  return arith::IndexCastUIOp::create(b, b.getIndexType(), hash);
}

Value RowTable::next(Emitter &b, Value slot) const {
  return arith::AndIOp::create(b, b.add(slot, b.index(1)), b.index(slots - 1));
}

RowNumbers::RowNumbers(Lowering &b, int64_t entries, std::optional<int64_t> limit, Value rows, Value sizes)
    : b(b), rows(rows), sizes(sizes), table(entries, limit), slots(b.allocate({table.slots}, b.getI32Type())) {}

void RowNumbers::clear() {
  b.loop(b.index(0), b.extent(slots, 0), 1, [&](Value i) { b.store(b.integer(0, 32), slots, i); });
}

/// Where the row's slot is, or the free one where it goes: an index.
Value RowNumbers::slotOf(Value row) {
  Value start = table.start(b, row);
  if (table.direct)
    return start;
  return b.whileLoop(
      start,
      [&](ValueRange at) -> Value {
        Value taken = b.load(slots, at[0]);
        return b.choose(
            b.compare(arith::CmpIPredicate::eq, taken, b.integer(0, 32)), b.getI1Type(),
            [&]() -> Values { return {b.integer(0, 1)}; },
            [&]() -> Values {
              Value other = b.load(rows, b.toIndex(b.sub(taken, b.integer(1, 32))));
              return {b.compare(arith::CmpIPredicate::ne, other, row)};
            })[0];
      },
      [&](ValueRange at) -> Values { return {table.next(b, at[0])}; })[0];
}

Values RowNumbers::number(Value row, Value distinct) {
  Value slot = slotOf(row), found = b.load(slots, slot);
  Values result = b.choose(
      b.compare(arith::CmpIPredicate::eq, found, b.integer(0, 32)), {b.getIndexType(), b.getIndexType()},
      [&]() -> Values {
        Value after = b.add(distinct, b.index(1));
        b.store(b.toI32(after), slots, slot);
        b.store(row, rows, distinct);
        b.store(b.integer(0, 32), sizes, distinct);
        return {distinct, after};
      },
      [&]() -> Values {
        return {b.toIndex(b.sub(found, b.integer(1, 32))), distinct};
      });
  Value size = b.load(sizes, result[0]);
  b.store(b.add(size, b.integer(1, 32)), sizes, result[0]);
  return result;
}

} // namespace tower::lower
