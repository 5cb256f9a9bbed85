// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of a first layer, whose input is segments side by side, and of its gradients. Lookups write where the layer
// reads; only other segments are copied. Where masked features are skipped, the visible ones move together: X_v, and
// the weight's rows W_v with them, have the width that the mask leaves, and
//
//     Y = X_v W_v + (b + sum_{f masked} d_f W_f)     dW_v = X_v^T dY     dX_v = dY W_v^T
//
// are products of that extent. So two complementary views together multiply as much as one without a mask.
#include "passes/gpu/Alignment.h"
#include "passes/lower/Lower.h"

#include <algorithm>

using namespace mlir;

namespace tower::lower {
namespace {

/// Columns of a weight that one pass over its rows sums in registers.
constexpr int64_t kSummedColumns = 8 * kLanes;

SmallVector<int64_t> widthsOf(ValueRange segments) {
  SmallVector<int64_t> widths;
  for (Value segment : segments)
    widths.push_back(cast<RankedTensorType>(segment.getType()).getDimSize(1));
  return widths;
}

/// Calls `visit(f, first)` with each segment's number and its first row in the weight.
void forSegments(const Columns &columns, function_ref<void(size_t f, int64_t first)> visit) {
  int64_t first = 0;
  for (auto [f, width] : llvm::enumerate(columns.widths)) {
    visit(f, first);
    first += width;
  }
}

/// The first `rows` rows and `columns` columns of a matrix.
Value partOf(Lowering &b, Value matrix, Value rows, OpFoldResult columns) {
  SmallVector<OpFoldResult> zeros(2, b.getIndexAttr(0)), ones(2, b.getIndexAttr(1));
  return memref::SubViewOp::create(b, matrix, zeros, {getAsOpFoldResult(rows), columns}, ones);
}

/// Memory for rows of segments. For a GPU each begins at a multiple of 16 bytes, which are then read and written at once.
Value allocateRows(Lowering &b, int64_t rows, int64_t width) {
  return b.allocateF32({rows, b.onGpu() ? static_cast<int64_t>(llvm::alignTo(width, kVector)) : width});
}

/// The rows of the weight that X_v is multiplied with: all of it, or a copy of the visible ones.
Value visibleRows(Lowering &b, const Columns &columns, Value weight) {
  if (!columns.moved)
    return weight;
  Value copy = b.allocateF32(shapeOf(weight));
  b.inParts(copy);
  int64_t inner = shapeOf(weight)[1];
  forSegments(columns, [&](size_t f, int64_t first) {
    b.ifThen(columns.isVisible(b, f), [&] {
      b.rows(columns.widths[f], inner, [&](Value row) {
        Value from = b.add(row, b.index(first)), to = b.add(row, columns.from[f]);
        b.vectors(inner, [&](Value column, VectorType type) {
          b.store(b.loadVector(type, weight, {from, column}), copy, {to, column});
        });
      });
    });
  });
  return b.rowsOf(copy, b.getIndexAttr(0), columns.total);
}

/// Columns [from, from + width) of b + sum_{f masked} d_f W_f.
void sumDefaults(Lowering &b, const Columns &columns, ValueRange defaults, Value weight, Value bias, Value result,
                 Value from, int64_t width) {
  SmallVector<Part> parts = b.parts(from, width);
  Values sums;
  for (const Part &part : parts)
    sums.push_back(bias ? b.loadVector(part.type, bias, part.column) : b.splat(0, part.type));
  forSegments(columns, [&](size_t f, int64_t first) {
    Value end = b.select(columns.masked[f], b.index(columns.widths[f]), b.index(0));
    sums = b.loop(b.index(0), end, 1, sums, [&](Value j, ValueRange before) -> Values {
      Value d = b.load(b.memory(defaults[f]), j), row = b.add(j, b.index(first));
      Values after;
      for (auto [part, sum] : llvm::zip(parts, before))
        after.push_back(b.fma(b.broadcast(d, part.type), b.loadVector(part.type, weight, {row, part.column}), sum));
      return after;
    });
  });
  for (auto [part, sum] : llvm::zip(parts, sums))
    b.store(sum, result, part.column);
}

/// The bias of a view that skips masked features.
Value biasOfView(Lowering &b, const Columns &columns, ValueRange defaults, Value weight, Value bias) {
  int64_t inner = shapeOf(weight)[1], whole = inner / kSummedColumns;
  Value result = b.allocateF32({inner});
  auto part = [&](Value from, int64_t width) { sumDefaults(b, columns, defaults, weight, bias, result, from, width); };
  if (whole > 0)
    b.rows(whole, shapeOf(weight)[0] * kSummedColumns,
           [&](Value i) { part(b.mul(i, b.index(kSummedColumns)), kSummedColumns); });
  if (inner % kSummedColumns != 0)
    part(b.index(whole * kSummedColumns), inner % kSummedColumns);
  return result;
}

/// dW from dW_v: a visible feature's rows go back to their places, a masked one's are d_f (x) colsum(dY).
void spreadRows(Lowering &b, const Columns &columns, ValueRange defaults, Value sums, Value visible, Value result,
                bool accumulate) {
  int64_t inner = shapeOf(result)[1];
  auto spread = [&](size_t f, int64_t first) {
    Value d = b.memory(defaults[f]);
    b.rows(columns.widths[f], 2 * inner, [&](Value row) {
      Value to = b.add(row, b.index(first));
      auto write = [&](function_ref<Value(Value, VectorType)> value) {
        b.vectors(inner, [&](Value column, VectorType type) {
          Value x = value(column, type);
          b.store(accumulate ? b.add(b.loadVector(type, result, {to, column}), x) : x, result, {to, column});
        });
      };
      b.ifThen(
          columns.masked[f],
          [&] {
            Value factor = b.load(d, row);
            write([&](Value column, VectorType type) {
              return b.mul(b.broadcast(factor, type), b.loadVector(type, sums, column));
            });
          },
          [&] {
            Value from = b.add(row, columns.from[f]);
            write([&](Value column, VectorType type) { return b.loadVector(type, visible, {from, column}); });
          });
    });
  };
  b.independent([&] { forSegments(columns, spread); });
}

} // namespace

Value Columns::isVisible(Lowering &b, size_t f) const { return arith::XOrIOp::create(b, masked[f], b.integer(1, 1)); }

Columns columnsOf(Lowering &b, ValueRange segments, Value mask, bool skipMasked) {
  Columns columns;
  columns.widths = widthsOf(segments);
  columns.moved = skipMasked;
  for (size_t f = 0; mask && f < segments.size(); ++f)
    columns.masked.push_back(b.isMasked(b.memory(mask), f));
  int64_t sum = 0;
  Value at = b.index(0);
  for (auto [f, width] : llvm::enumerate(columns.widths)) {
    columns.from.push_back(skipMasked ? at : b.index(sum));
    if (skipMasked)
      at = b.select(columns.masked[f], at, b.add(at, b.index(width)));
    sum += width;
  }
  columns.total = skipMasked ? OpFoldResult(at) : OpFoldResult(b.getIndexAttr(sum));
  columns.bound = sum;
  return columns;
}

SideBySide &sideBySide(Lowering &b, const LayerInput &input) {
  SideBySide &result = b.firstLayers[input.key()];
  if (result.memory)
    return result;
  result.columns = columnsOf(b, input.segments, input.mask, input.skipMasked);
  result.memory = allocateRows(b, memoryType(input.segments[0].getType()).getDimSize(0), result.columns.bound);
  // Else default rows are written over zeros.
  if (!input.mask || input.skipMasked)
    b.inParts(result.memory);
  return result;
}

/// The input as one matrix, of the rows and columns in use.
Value inputOf(Lowering &b, const LayerInput &layer) {
  auto [segments, mask, defaults, skipMasked] = layer;
  if (!layer.isMatrix())
    return b.rowsInUse(segments[0]);
  SideBySide &input = sideBySide(b, layer);
  const Columns &columns = input.columns;
  Value rows = b.rowCount(segments[0]);
  auto all = [&] { return partOf(b, input.memory, rows, columns.total); };
  if (input.complete)
    return all();
  input.complete = true;
  SmallVector<size_t> todo;
  for (size_t f = 0; f < segments.size(); ++f)
    if (!b.isInPlace(segments[f]) || (mask && !skipMasked))
      todo.push_back(f);
  int64_t width = 0;
  for (size_t f : todo)
    width += columns.widths[f];
  if (todo.empty())
    return all();
  b.rows(rows, width, [&](Value i) {
    for (size_t f : todo) {
      auto put = [&](Value source, ValueRange row) {
        b.vectors(columns.widths[f], [&](Value column, VectorType type) {
          Values at(row);
          at.push_back(column);
          b.store(b.loadVector(type, source, at), input.memory, {i, b.add(column, columns.from[f])});
        });
      };
      auto copySegment = [&] {
        if (!b.isInPlace(segments[f]))
          put(b.memory(segments[f]), i);
      };
      if (!mask)
        copySegment();
      else if (skipMasked)
        b.ifThen(columns.isVisible(b, f), copySegment);
      else
        b.ifThen(
            columns.masked[f], [&] { put(b.memory(defaults[f]), {}); }, copySegment);
    }
  });
  return all();
}

LogicalResult lower(Lowering &b, SegmentLinearOp op) {
  Value input = inputOf(b, LayerInput(op));
  Value weight = b.memory(op.getWeight()), bias = b.memory(op.getBias());
  if (op.getSkipMasked()) {
    const Columns &columns = sideBySide(b, LayerInput(op)).columns;
    bias = biasOfView(b, columns, op.getDefaults(), weight, bias);
    weight = visibleRows(b, columns, weight);
  }
  b.defineOnto(op.getResult(), op.getOnto());
  b.layerProduct(input, false, weight, false, b.rowsInUse(op.getResult()),
                 /*accumulate=*/static_cast<bool>(op.getOnto()), {bias, op.getRelu()});
  return success();
}

LogicalResult lower(Lowering &b, SegmentWeightGradOp op) {
  bool skip = op.getSkipMasked();
  Value input = inputOf(b, LayerInput(op));
  Value dy = b.rowsInUse(op.getGradient()), result = b.defineOnto(op.getResult(), op.getOnto());
  if (!skip) {
    b.layerProduct(input, /*transposeA=*/true, dy, false, result, /*accumulate=*/static_cast<bool>(op.getOnto()));
    return success();
  }
  const Columns &columns = sideBySide(b, LayerInput(op)).columns;
  Value visible = b.allocateF32(shapeOf(result));
  b.layerProduct(input, /*transposeA=*/true, dy, false, b.rowsOf(visible, b.getIndexAttr(0), columns.total), false);
  spreadRows(b, columns, op.getDefaults(), b.memory(op.getSums()), visible, result, static_cast<bool>(op.getOnto()));
  return success();
}

LogicalResult lower(Lowering &b, SegmentInputGradOp op) {
  Value dy = b.rowsInUse(op.getGradient()), weight = b.memory(op.getWeight());
  Columns columns = columnsOf(b, op.getSegments(), op.getMask(), op.getSkipMasked());
  Value all = allocateRows(b, shapeOf(b.memory(op.getGradient()))[0], columns.bound);
  b.layerProduct(dy, false, visibleRows(b, columns, weight), /*transposeB=*/true,
                 partOf(b, all, b.rowCount(op.getGradient()), columns.total), false);
  for (auto [f, segment] : llvm::enumerate(op.getSegments())) {
    // The segments stay where the product left them; no copy.
    OpFoldResult from = getAsOpFoldResult(columns.from[f]);
    Value part = b.columnsOf(all, from, b.getIndexAttr(columns.widths[f]));
    b.alias(segment, part);
    if (op.getMask() && !op.getSkipMasked())
      b.ifThen(columns.masked[f], [&] { b.fill(part, 0); });
  }
  return success();
}

LogicalResult lower(Lowering &b, SegmentDefaultGradOp op) {
  Value sums = b.memory(op.getSums()), weight = b.memory(op.getWeight());
  int64_t from = 0, inner = shapeOf(weight)[1];
  for (auto [f, row] : llvm::enumerate(op.getDefaults())) {
    Value result = b.define(row);
    int64_t width = shapeOf(result)[0];
    b.ifThen(
        b.isMasked(b.memory(op.getMask()), f),
        [&] {
          b.rows(width, inner, [&](Value i) {
            Value at = b.add(i, b.index(from));
            Value dot = b.fold(inner, [&](Value column, VectorType type) {
              return b.mul(b.loadVector(type, weight, {at, column}), b.loadVector(type, sums, column));
            });
            b.store(dot, result, i);
          });
        },
        [&] { b.fill(result, 0); });
    from += width;
  }
  return success();
}

} // namespace tower::lower
