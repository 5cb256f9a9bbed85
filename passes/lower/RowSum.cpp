// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row gradients by row:
//   1. each contribution writes the rows that it reaches, position by position (parallel);
//   2. rows get numbers in order of first appearance (RowNumbers);
//   3. a counting sort puts the positions of one row together, in order;
//   4. each distinct row sums coefficient x gradient over its positions (parallel).
#include "passes/lower/RowSum.h"
#include "passes/lower/Pooled.h"

#include <algorithm>

using namespace mlir;

namespace tower::lower {

LogicalResult RowSum::collect(Value gradient) {
  if (auto merge = gradient.getDefiningOp<MergeRowsOp>())
    return success(succeeded(collect(merge.getLhs())) && succeeded(collect(merge.getRhs())));
  auto type = cast<RowGradientType>(gradient.getType());
  tableRows = type.getRows();
  dim = type.getDim();
  Share share;
  share.single = gradient.getDefiningOp<RowGradientOp>();
  share.pooled = gradient.getDefiningOp<PooledRowGradientOp>();
  if (!share.single && !share.pooled)
    return op->emitOpError("needs a row gradient that lookups and merges define in this function");
  share.gradient = b.memory(share.single ? share.single.getGradient() : share.pooled.getGradient());
  share.positions = shapeOf(share.gradient)[0];
  if (share.pooled) {
    share.longest = share.pooled.getLongest();
    weighted |= share.pooled.getPooling() != Pooling::sum;
  }
  share.firstPosition = positions;
  share.firstEntry = entries;
  positions += share.positions;
  entries += share.positions * share.longest;
  Value mask = share.single ? share.single.getMask() : share.pooled.getMask();
  share.count = b.rowCount(share.single ? share.single.getGradient() : share.pooled.getGradient());
  if (mask) {
    int64_t feature = share.single ? *share.single.getFeature() : *share.pooled.getFeature();
    share.count = b.select(b.isMasked(b.memory(mask), feature), b.index(0), share.count);
    b.bound(share.count, share.positions);
  }
  shares.push_back(share);
  if (entries >= int64_t(1) << 30)
    return op->emitOpError() << "a batch may reach a table " << entries << " times, more than 2^30: lower the batch";
  return success();
}

void RowSum::writeEntries(Share &share) {
  auto at = [&](Value i, int64_t first) { return b.add(i, b.index(first)); };
  if (share.single) {
    Value ids = b.memory(share.single.getIds()), of = b.memory(share.single.getRows());
    b.elements(share.count, 2, [&](Value i) {
      b.store(b.load(ids, b.toIndex(b.load(of, i))), rowOfEntry, at(i, share.firstEntry));
      if (weighted)
        b.store(b.f32(1), coefficients, at(i, share.firstPosition));
    });
    return;
  }
  PooledValues pooled(b, share.pooled);
  b.rows(share.count, (pooled.drops() ? 32 : 2) * share.longest, [&](Value i) {
    auto [first, length] = pooled.range(i);
    Value begin = at(b.mul(i, b.index(share.longest)), share.firstEntry);
    auto write = [&](Value j, Value place) { b.store(b.toI32(pooled.at(first, j)), rowOfEntry, b.add(begin, place)); };
    Value count = length;
    if (pooled.drops())
      count = b.loop(b.index(0), length, 1, b.index(0), [&](Value j, ValueRange kept) -> Values {
        return b.choose(
            pooled.survives(i, j), b.getIndexType(),
            [&]() -> Values {
              write(j, kept[0]);
              return {b.add(kept[0], b.index(1))};
            },
            [&]() -> Values { return kept; });
      })[0];
    else
      b.loop(b.index(0), length, 1, [&](Value j) { write(j, j); });
    b.store(b.toI32(count), lengths, at(i, share.firstPosition));
    if (weighted) {
      Value coefficient = pooled.coefficient(count);
      b.store(coefficient ? coefficient : b.f32(1), coefficients, at(i, share.firstPosition));
    }
  });
}

/// Calls `visit(entry, position)` for every entry in order, carrying `state`.
Values RowSum::forEntries(ValueRange state, function_ref<Values(Value, Value, ValueRange)> visit) {
  Values current(state);
  for (Share &share : shares)
    current = b.loop(b.index(0), share.count, 1, current, [&](Value i, ValueRange outer) -> Values {
      Value position = b.add(i, b.index(share.firstPosition));
      if (share.single)
        return visit(b.add(i, b.index(share.firstEntry)), position, outer);
      Value begin = b.add(b.mul(i, b.index(share.longest)), b.index(share.firstEntry));
      Value length = b.toIndex(b.load(lengths, position));
      return b.loop(b.index(0), length, 1, outer,
                    [&](Value j, ValueRange inner) { return visit(b.add(begin, j), position, inner); });
    });
  return current;
}

/// The number of the entry's row, in place of the row, and how many are distinct then.
Values RowSum::number(RowNumbers &numbers, Value entry, Value before) {
  Values result = numbers.number(b.load(rowOfEntry, entry), before);
  b.store(b.toI32(result[0]), rowOfEntry, entry);
  return result;
}

/// The share's gradient that has a position, and the position's row in it.
Value RowSum::gradientAt(Value position, Value &owner) {
  owner = position;
  if (shares.size() == 1)
    return shares[0].gradient;
  int64_t unknown = ShapedType::kDynamic;
  auto layout = StridedLayoutAttr::get(b.getContext(), unknown, {unknown, 1});
  auto common = MemRefType::get({unknown, unknown}, b.getF32Type(), layout);
  Value result, first;
  for (Share &share : shares) {
    Value gradient = memref::CastOp::create(b, common, share.gradient), start = b.index(share.firstPosition);
    if (!result) {
      result = gradient;
      first = start;
      continue;
    }
    Value here = b.compare(arith::CmpIPredicate::uge, position, start);
    result = b.select(here, gradient, result);
    first = b.select(here, start, first);
  }
  owner = b.sub(position, first);
  return result;
}

/// Adds the gradients of positions [begin, end) of `order`.
Values RowSum::addPositions(ArrayRef<Part> parts, ValueRange sums, Value begin, Value end) {
  return b.loop(begin, end, 1, sums, [&](Value at, ValueRange before) -> Values {
    Value position = b.toIndex(b.load(order, at)), owner;
    Value gradient = gradientAt(position, owner);
    Value coefficient = weighted ? b.load(coefficients, position) : Value();
    Values after;
    for (auto [part, sum] : llvm::zip(parts, before)) {
      Value g = b.loadVector(part.type, gradient, {owner, part.column});
      after.push_back(coefficient ? b.fma(g, b.broadcast(coefficient, part.type), sum) : b.add(sum, g));
    }
    return after;
  });
}

SummedColumns RowSum::sum(Value begin, Value end, Value from, int64_t width) {
  SummedColumns result;
  result.parts = b.parts(from, width);
  for (const Part &part : result.parts)
    result.sums.push_back(b.splat(0, part.type));
  if (!windows) {
    result.sums = addPositions(result.parts, result.sums, begin, end);
    return result;
  }
  // What is before the row's first window, its windows, and what is behind them.
  Value size = b.index(b.chain());
  Value first = b.divideUp(begin, b.chain()), last = b.div(end, size);
  Value hasSome = b.compare(arith::CmpIPredicate::slt, first, last);
  result.sums = addPositions(result.parts, result.sums, begin, b.select(hasSome, b.mul(first, size), end));
  result.sums = b.loop(first, last, 1, result.sums, [&](Value window, ValueRange before) -> Values {
    Values after;
    for (auto [part, sum] : llvm::zip(result.parts, before))
      after.push_back(b.add(sum, b.loadVector(part.type, windows, {window, part.column})));
    return after;
  });
  result.sums = addPositions(result.parts, result.sums, b.select(hasSome, b.mul(last, size), end), end);
  return result;
}

void RowSum::group(Value rows) {
  rowOfEntry = b.allocate({entries}, b.getI32Type());
  order = b.allocate({entries}, b.getI32Type());
  ends = b.allocate({bound()}, b.getI32Type());
  if (llvm::any_of(shares, [](const Share &share) { return static_cast<bool>(share.pooled); }))
    lengths = b.allocate({positions}, b.getI32Type());
  if (weighted)
    coefficients = b.allocateF32({positions});
  if (b.onGpu())
    return groupOnGpu(rows);
  RowNumbers numbers(b, entries, tableRows, rows, ends);

  for (Share &share : shares)
    writeEntries(share);
  numbers.clear();
  distinct = forEntries(b.index(0), [&](Value entry, Value, ValueRange state) -> Values {
    return {number(numbers, entry, state[0])[1]};
  })[0];

  b.bound(distinct, bound());
  b.loop(b.index(0), distinct, 1, b.integer(0, 32), [&](Value d, ValueRange start) -> Values {
    Value size = b.load(ends, d);
    b.store(start[0], ends, d);
    return {b.add(start[0], size)};
  });
  forEntries({}, [&](Value entry, Value position, ValueRange) -> Values {
    Value d = b.toIndex(b.load(rowOfEntry, entry)), place = b.load(ends, d);
    b.store(b.toI32(position), order, b.toIndex(place));
    b.store(b.add(place, b.integer(1, 32)), ends, d);
    return {};
  });
}

void RowSum::forRows(int64_t cost, function_ref<void(Value, Value, Value)> body) {
  b.rows(distinct, cost, [&](Value d) {
    Value isFirst = b.compare(arith::CmpIPredicate::eq, d, b.index(0));
    Value begin = b.choose(
        isFirst, b.getIndexType(), [&]() -> Values { return {b.index(0)}; },
        [&]() -> Values { return {b.toIndex(b.load(ends, b.sub(d, b.index(1))))}; })[0];
    body(d, begin, b.toIndex(b.load(ends, d)));
  });
}

void RowSum::forColumns(function_ref<void(Value, int64_t)> body) {
  int64_t whole = dim - dim % kColumns;
  if (whole > 0)
    b.loop(b.index(0), b.index(whole), kColumns, [&](Value from) { body(from, kColumns); });
  if (dim > whole)
    body(b.index(whole), dim - whole);
}

LogicalResult lower(Lowering &b, SumRowsOp op) {
  RowSum sum(b, op);
  if (failed(sum.collect(op.getGradient())))
    return failure();
  Value rows = b.define(op.getRows()), values = b.define(op.getValues()), count = b.define(op.getCount());
  if (shapeOf(rows)[0] < sum.bound())
    return op.emitOpError() << "has room for " << shapeOf(rows)[0] << " distinct rows, but there may be "
                            << sum.bound();
  sum.group(rows);
  b.store(arith::IndexCastOp::create(b, b.getI64Type(), sum.count()), count);
  if (boundOf(op.getRows().getType()))
    for (Value counted : {op.getRows(), op.getValues()})
      b.setRowCount(counted, sum.count());
  sum.forRows(4 * sum.width(), [&](Value d, Value begin, Value end) {
    sum.forColumns([&](Value from, int64_t width) {
      SummedColumns columns = sum.sum(begin, end, from, width);
      for (auto [part, total] : llvm::zip(columns.parts, columns.sums))
        b.store(total, values, {d, part.column});
    });
  });
  return success();
}

} // namespace tower::lower
