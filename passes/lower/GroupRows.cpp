// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/lower/GroupRows.h"
#include "passes/lower/RowNumbers.h"

#include <limits>

using namespace mlir;

namespace tower::lower {
namespace {

/// Elements that one warp scans.
constexpr int64_t kChunk = 32 * kWarp;

/// Calls `use(i, sum of value(j) for j < i)` for all i < count, in lanes; the sum of all goes to `total`, if not null.
/// Chunks are summed; then each is scanned by a warp that adds the sums before it: a launch less than a scan of the
/// sums.
void scan(Lowering &b, Value count, int64_t most, function_ref<Value(Value)> value,
          function_ref<void(Value, Value)> use, Value total) {
  int64_t chunks = llvm::divideCeil(most, kChunk);
  Value sums = b.allocate({chunks}, b.getI32Type()), zero = b.integer(0, 32);
  auto elements = [&](Value chunk, Value k) {
    return b.add(b.add(b.mul(chunk, b.index(kChunk)), b.mul(k, b.index(kWarp))), b.lane());
  };
  auto valueOf = [&](Value i) {
    return b.choose(
        b.compare(arith::CmpIPredicate::slt, i, count), b.getI32Type(), [&]() -> Values { return {value(i)}; },
        [&]() -> Values { return {zero}; })[0];
  };
  b.rows(chunks, kChunk, [&](Value chunk) {
    Value mine = b.loop(b.index(0), b.index(kChunk / kWarp), 1, zero, [&](Value k, ValueRange before) -> Values {
      return {b.add(before[0], valueOf(elements(chunk, k)))};
    })[0];
    b.store(b.acrossLanes(mine, /*maximum=*/false), sums, chunk);
  });
  b.rows(chunks, kChunk, [&](Value chunk) {
    Value mine = b.loop(b.lane(), chunk, kWarp, zero, [&](Value earlier, ValueRange before) -> Values {
      return {b.add(before[0], b.load(sums, earlier))};
    })[0];
    Value start = b.acrossLanes(mine, /*maximum=*/false);
    Value end = b.loop(b.index(0), b.index(kChunk / kWarp), 1, start, [&](Value k, ValueRange before) -> Values {
      Value i = elements(chunk, k), here = valueOf(i), until = b.scanLanes(here);
      Value first = b.add(before[0], b.sub(until, here));
      b.inLanes([&] { b.ifThen(b.compare(arith::CmpIPredicate::slt, i, count), [&] { use(i, first); }); });
      return {b.add(before[0], b.fromLane(until, b.integer(kWarp - 1, 32)))};
    })[0];
    if (total)
      b.ifThen(b.compare(arith::CmpIPredicate::eq, chunk, b.index(chunks - 1)), [&] { b.store(end, total); });
  });
}

/// The slot of a row in a hash table with linear probing: the first that is free, or has the row already. Which slot it
/// is depends on who comes first; nothing else does.
Value claim(Lowering &b, Value slots, const RowTable &table, Value row) {
  Value mark = b.add(row, b.integer(1, 32)), zero = b.integer(0, 32);
  return b.whileLoop(
      table.start(b, row),
      [&](ValueRange at) -> Value {
        Value found = b.claim(mark, slots, at[0]);
        Value mine = arith::OrIOp::create(b, b.compare(arith::CmpIPredicate::eq, found, zero),
                                          b.compare(arith::CmpIPredicate::eq, found, mark));
        return b.compare(arith::CmpIPredicate::eq, mine, b.integer(0, 1));
      },
      [&](ValueRange at) -> Values { return {table.next(b, at[0])}; })[0];
}

} // namespace

Value numberRows(Lowering &b, Value keys, std::optional<int64_t> limit, int64_t most, Value rows, Value counts) {
  int64_t n = shapeOf(keys)[0];
  RowTable table(n, limit);
  Type word = b.getI32Type();
  Value slots = table.direct ? Value() : b.allocate({table.slots}, word), slotOf = b.allocate({n}, word);
  Value first = b.allocate({table.slots}, word), numberOf = b.allocate({table.slots}, word),
        total = b.allocate({}, word);
  Value zero = b.integer(0, 32), none = b.integer(std::numeric_limits<int32_t>::max(), 32);
  auto isRow = [&](Value row) { return b.compare(arith::CmpIPredicate::sge, row, zero); };
  b.elements(b.index(table.slots), 1, [&](Value i) {
    b.store(none, first, i);
    if (slots)
      b.store(zero, slots, i);
  });
  b.elements(b.index(shapeOf(counts)[0]), 1, [&](Value i) { b.store(zero, counts, i); });
  b.elements(b.index(n), 8, [&](Value e) {
    Value row = b.load(keys, e);
    b.ifThen(isRow(row), [&] {
      Value slot = table.direct ? table.start(b, row) : claim(b, slots, table, row);
      b.store(b.toI32(slot), slotOf, e);
      b.atomic(arith::AtomicRMWKind::mins, b.toI32(e), first, slot);
    });
  });
  auto slotAt = [&](Value e) { return b.toIndex(b.load(slotOf, e)); };
  auto comesFirst = [&](Value e) -> Value {
    return b.choose(
        isRow(b.load(keys, e)), word,
        [&]() -> Values {
          Value same = b.compare(arith::CmpIPredicate::eq, b.load(first, slotAt(e)), b.toI32(e));
          return {arith::ExtUIOp::create(b, word, same)};
        },
        [&]() -> Values { return {zero}; })[0];
  };
  scan(
      b, b.index(n), n, comesFirst,
      [&](Value e, Value number) {
        b.ifThen(b.compare(arith::CmpIPredicate::ne, comesFirst(e), zero), [&] {
          b.store(number, numberOf, slotAt(e));
          b.store(b.load(keys, e), rows, b.toIndex(number));
        });
      },
      total);
  b.elements(b.index(n), 4, [&](Value e) {
    b.ifThen(isRow(b.load(keys, e)), [&] {
      Value number = b.load(numberOf, slotAt(e));
      b.store(number, keys, e);
      b.atomic(arith::AtomicRMWKind::addi, b.integer(1, 32), counts, b.toIndex(number));
    });
  });
  Value distinct = b.toIndex(b.load(total));
  b.bound(distinct, most);
  return distinct;
}

void groupEntries(Lowering &b, Value numbers, Value distinct, Value counts, Value starts, Value order,
                  EntryValue value) {
  int64_t n = shapeOf(numbers)[0], most = shapeOf(starts)[0] - 1;
  Value zero = b.integer(0, 32), total = b.allocate({}, b.getI32Type());
  scan(
      b, distinct, most, [&](Value d) { return b.load(counts, d); },
      [&](Value d, Value start) {
        b.store(start, starts, d);
        b.store(start, counts, d);
      },
      total);
  b.store(b.load(total), starts, distinct);
  b.elements(b.index(n), 4, [&](Value e) {
    Value d = b.load(numbers, e);
    b.ifThen(b.compare(arith::CmpIPredicate::sge, d, zero), [&] {
      Value place = b.atomic(arith::AtomicRMWKind::addi, b.integer(1, 32), counts, b.toIndex(d));
      b.store(b.toI32(e), order, b.toIndex(place));
    });
  });
  // Entries of a group came in any order: a few are ranked by a warp, many are found again.
  b.rows(distinct, 64, [&](Value d) {
    Value begin = b.toIndex(b.load(starts, d)), size = b.sub(b.toIndex(b.load(counts, d)), begin);
    Value lane = b.lane(), number = b.toI32(d);
    auto rank = [&] {
      Value inside = b.compare(arith::CmpIPredicate::slt, lane, size);
      Value mine = b.choose(
          inside, b.getI32Type(), [&]() -> Values { return {b.load(order, b.add(begin, lane))}; },
          [&]() -> Values { return {b.integer(std::numeric_limits<int32_t>::max(), 32)}; })[0];
      Value place = b.loop(b.index(0), size, 1, b.index(0), [&](Value k, ValueRange before) -> Values {
        Value less = b.compare(arith::CmpIPredicate::slt, b.fromLane(mine, b.toI32(k)), mine);
        return {b.add(before[0], b.select(less, b.index(1), b.index(0)))};
      })[0];
      b.inLanes([&] { b.ifThen(inside, [&] { b.store(value(b.toIndex(mine)), order, b.add(begin, place)); }); });
    };
    auto findAgain = [&] {
      b.loop(b.index(0), b.index(n), kWarp, begin, [&](Value from, ValueRange before) -> Values {
        Value e = b.add(from, lane), inside = b.compare(arith::CmpIPredicate::slt, e, b.index(n));
        Value same = b.choose(
            inside, b.getI32Type(),
            [&]() -> Values {
              Value equal = b.compare(arith::CmpIPredicate::eq, b.load(numbers, e), number);
              return {arith::ExtUIOp::create(b, b.getI32Type(), equal)};
            },
            [&]() -> Values { return {zero}; })[0];
        Value until = b.scanLanes(same);
        b.inLanes([&] {
          b.ifThen(b.compare(arith::CmpIPredicate::ne, same, zero),
                   [&] { b.store(value(e), order, b.add(before[0], b.toIndex(b.sub(until, b.integer(1, 32))))); });
        });
        return {b.add(before[0], b.toIndex(b.fromLane(until, b.integer(kWarp - 1, 32))))};
      });
    };
    b.ifThen(b.compare(arith::CmpIPredicate::sle, size, b.index(kWarp)), rank, findAgain);
  });
}

} // namespace tower::lower
