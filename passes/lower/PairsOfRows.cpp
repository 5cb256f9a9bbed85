// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/lower/PairsOfRows.h"
#include "passes/lower/GroupRows.h"

using namespace tower::lower;

PairsOfRows::PairsOfRows(Lowering &b, Value rowOf, int64_t mostRows, Value count, Value taken)
    : starts(b.allocate({mostRows + 1}, b.getI32Type())), order(b.allocate(shapeOf(rowOf), b.getI32Type())), b(b) {
  if (b.onGpu()) {
    Value pairs = b.index(shapeOf(rowOf)[0]), inOrder = rowOf;
    if (taken) {
      inOrder = b.allocate(shapeOf(rowOf), b.getI32Type());
      b.elements(pairs, 2, [&](Value i) { b.store(b.load(rowOf, b.toIndex(b.load(taken, i))), inOrder, i); });
    }
    Value counts = b.allocate({mostRows}, b.getI32Type());
    b.elements(b.index(mostRows), 1, [&](Value row) { b.store(b.integer(0, 32), counts, row); });
    b.elements(pairs, 2, [&](Value pair) {
      b.atomic(mlir::arith::AtomicRMWKind::addi, b.integer(1, 32), counts, b.toIndex(b.load(rowOf, pair)));
    });
    groupEntries(b, inOrder, count, counts, starts, order,
                 [&](Value entry) { return taken ? b.load(taken, entry) : b.toI32(entry); });
    return;
  }
  Value all = b.index(shapeOf(rowOf)[0]), zero = b.integer(0, 32), one = b.integer(1, 32);
  auto rowOfPair = [&](Value pair) { return b.toIndex(b.load(rowOf, pair)); };
  b.loop(b.index(0), count, 1, [&](Value row) { b.store(zero, starts, row); });
  b.loop(b.index(0), all, 1, [&](Value pair) {
    Value row = rowOfPair(pair);
    b.store(b.add(b.load(starts, row), one), starts, row);
  });
  Values total = b.loop(b.index(0), count, 1, zero, [&](Value row, ValueRange before) -> Values {
    Value end = b.add(before[0], b.load(starts, row));
    b.store(end, starts, row);
    return {end};
  });
  b.store(total[0], starts, count);
  // From the last pair down, so that the pairs of a row rise and its end becomes its start.
  b.loop(b.index(0), all, 1, [&](Value i) {
    Value pair = b.sub(b.sub(all, b.index(1)), i), row = rowOfPair(pair), place = b.sub(b.load(starts, row), one);
    b.store(place, starts, row);
    b.store(b.toI32(pair), order, b.toIndex(place));
  });
}
