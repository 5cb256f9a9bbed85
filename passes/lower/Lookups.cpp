// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of embedding lookups: gathers of rows, and sums of them.
#include "passes/lower/Pooled.h"

using namespace mlir;

namespace tower::lower {
namespace {

/// Runs `visible` where the feature is not masked, else fills the result with zeros if something reads them. What is
/// added to something is there already.
template <class Op> void unlessMasked(Lowering &b, Op op, Value result, llvm::function_ref<void()> visible) {
  if (!op.getMask())
    return visible();
  auto masked = [&] {
    if (!op.getOnto() && !b.zerosAreSkipped(op.getResult()))
      b.fill(result, 0);
  };
  b.ifThen(b.isMasked(b.memory(op.getMask()), *op.getFeature()), masked, visible);
}

/// Columns that one pass over a row's values sums in registers.
constexpr int64_t kSummedColumns = 8 * kLanes;

/// Stores part of a row, or adds it to what is there.
void put(Lowering &b, Value x, VectorType type, Value result, ValueRange at, bool adds) {
  b.store(adds ? b.add(b.loadVector(type, result, at), x) : x, result, at);
}

/// result[i, from .. from + width) of a pooled lookup.
void poolColumns(Lowering &b, PooledValues &pooled, Value table, Value result, bool adds, Value i, Value from,
                 int64_t width) {
  SmallVector<Part> parts = b.parts(from, width);
  Values initial;
  for (const Part &part : parts)
    initial.push_back(b.splat(0, part.type));
  if (pooled.drops())
    initial.push_back(b.index(0));
  auto [first, length] = pooled.range(i);
  Values sums = b.loop(b.index(0), length, 1, initial, [&](Value j, ValueRange before) -> Values {
    auto addRow = [&]() -> Values {
      Value row = pooled.at(first, j);
      Values after;
      for (auto [part, sum] : llvm::zip_first(parts, before))
        after.push_back(b.add(sum, b.loadVector(part.type, table, {row, part.column})));
      if (pooled.drops())
        after.push_back(b.add(before.back(), b.index(1)));
      return after;
    };
    if (!pooled.drops())
      return addRow();
    return b.choose(pooled.survives(i, j), before.getTypes(), addRow, [&]() -> Values { return before; });
  });
  Value coefficient = pooled.coefficient(pooled.drops() ? sums.back() : length);
  for (auto [part, sum] : llvm::zip_first(parts, sums)) {
    Value scaled = coefficient ? b.mul(sum, b.broadcast(coefficient, part.type)) : sum;
    // What is added is added once.
    b.inPart(part, [&] { put(b, scaled, part.type, result, {i, part.column}, adds); });
  }
}

} // namespace

LogicalResult lower(Lowering &b, LookupOp op) {
  Value table = b.memory(op.getTable()), ids = b.memory(op.getIds()), rows = b.memory(op.getRows());
  Value result = b.defineOnto(op.getResult(), op.getOnto());
  bool adds = static_cast<bool>(op.getOnto());
  int64_t width = shapeOf(result)[1];
  unlessMasked(b, op, result, [&] {
    b.rows(b.rowCount(op.getResult()), width, [&](Value i) {
      Value id = b.toIndex(b.load(ids, b.toIndex(b.load(rows, i))));
      b.vectors(width, [&](Value column, VectorType type) {
        put(b, b.loadVector(type, table, {id, column}), type, result, {i, column}, adds);
      });
    });
  });
  return success();
}

LogicalResult lower(Lowering &b, PooledLookupOp op) {
  PooledValues pooled(b, op);
  Value table = b.memory(op.getTable()), result = b.defineOnto(op.getResult(), op.getOnto());
  bool adds = static_cast<bool>(op.getOnto());
  int64_t width = shapeOf(result)[1], whole = width - width % kSummedColumns;
  // Rows are mostly much shorter than the longest one.
  int64_t typical = 1 + static_cast<int64_t>(op.getLongest()) / 4;
  unlessMasked(b, op, result, [&] {
    b.rows(b.rowCount(op.getResult()), width * typical, [&](Value i) {
      if (whole > 0)
        b.loop(b.index(0), b.index(whole), kSummedColumns,
               [&](Value from) { poolColumns(b, pooled, table, result, adds, i, from, kSummedColumns); });
      if (width > whole)
        poolColumns(b, pooled, table, result, adds, i, b.index(whole), width - whole);
    });
  });
  return success();
}

} // namespace tower::lower
