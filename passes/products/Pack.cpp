// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing B into panels and copying rows of A. No read leaves the operand: ends are masked.
#include "passes/products/Pack.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/products/Words.h"

using namespace mlir;

namespace tower::products {
namespace {

/// Rows of A^T that are asked for before they are copied.
constexpr int64_t kRowsAhead = 8;

/// Copies one row, or of Format::pairs two that are neighbours in k, a vector of columns at a time.
class RowCopy {
public:
  /// `row` of `rows` is the first one; `stride` lies between them.
  RowCopy(IndexMath &math, Tile tile, Index row, Index rows, Index stride)
      : math(math), builder(math.builder), tile(tile), stride(stride),
        type(VectorType::get({tile.lanes}, builder.getF32Type())),
        maskType(type.cloneWith(std::nullopt, builder.getI1Type())) {
    if (tile.format != Format::pairs)
      return;
    Value isThere = arith::CmpIOp::create(builder, math.loc, arith::CmpIPredicate::ult,
                                          math.materialize(math.add(row, 1)), math.materialize(rows));
    hasNext = vector::BroadcastOp::create(builder, math.loc, maskType, isThere);
  }

  /// Of `count` vectors the first `columns` elements, all of them if there is no such number; the others become 0.
  void copy(Place1D from, Place1D to, int64_t count, std::optional<Index> columns = {}) {
    for (int64_t v = 0; v < count; ++v) {
      Index shift = v * tile.lanes, at = math.add(from.offset, shift);
      Value mask;
      if (columns)
        mask = vector::CreateMaskOp::create(builder, math.loc, maskType, math.materialize(math.sub(*columns, shift)));
      Value numbers = load(from.base, at, mask);
      if (tile.format == Format::pairs) {
        Value both = mask ? arith::AndIOp::create(builder, math.loc, mask, hasNext) : hasNext;
        numbers = pairWords(math, tile, numbers, load(from.base, math.add(at, stride), both));
      } else {
        numbers = words(math, tile, numbers);
      }
      vector::StoreOp::create(builder, math.loc, numbers, to.base, math.materialize(math.add(to.offset, shift)));
    }
  }

private:
  Value load(Value base, Index at, Value mask) {
    if (!mask)
      return vector::LoadOp::create(builder, math.loc, type, base, math.materialize(at));
    Value zero = arith::ConstantOp::create(builder, math.loc, builder.getZeroAttr(type));
    return vector::MaskedLoadOp::create(builder, math.loc, type, base, math.materialize(at), mask, zero);
  }

  IndexMath &math;
  OpBuilder &builder;
  Tile tile;
  Index stride;
  VectorType type, maskType;
  Value hasNext;
};

} // namespace

Index PackedB::panel(IndexMath &math, Index k, Index j) const {
  return math.add(place.offset, math.add(math.mul(k, packedColumns), math.mul(j, depthBlock)));
}

void packB(IndexMath &math, Kernels &kernels, Tile tile, const Matrix &b, bool transposed, Index depth, Index low,
           Index high, bool wholePanels, const PackedB &packed) {
  math.loop(0, depth, packed.depthBlock, [&](Index k) {
    Index rows = math.blockLength(depth, k, packed.depthBlock);
    if (transposed) {
      // Row j of the operand is column j of B.
      math.loop(low, high, tile.lanes, [&](Index j) {
        Index panelStart = math.roundDown(j, tile.columns());
        Index to = math.add(packed.panel(math, k, panelStart), math.sub(j, panelStart));
        Index from = math.add(math.add(b.offset, k), math.mul(j, b.stride));
        Index left = math.min(math.sub(high, j), tile.lanes);
        kernels.transpose(math, {b.flat, from}, b.stride, left, rows, {packed.place.base, to});
      });
      return;
    }
    math.loop(0, rows, tile.perWord(), [&](Index row) {
      RowCopy copy(math, tile, row, rows, b.stride);
      Index line = math.add(b.offset, math.mul(math.add(k, row), b.stride));
      Index shift = math.mul(math.div(row, tile.perWord()), tile.columns());
      Index whole = wholePanels ? high : math.add(low, math.roundDown(math.sub(high, low), tile.columns()));
      math.loop(low, whole, tile.columns(), [&](Index j) {
        Index to = math.add(packed.panel(math, k, j), shift);
        copy.copy({b.flat, math.add(line, j)}, {packed.place.base, to}, tile.vectors);
      });
      if (wholePanels)
        return;
      math.ifLess(whole, high, [&] {
        Index to = math.add(packed.panel(math, k, whole), shift);
        copy.copy({b.flat, math.add(line, whole)}, {packed.place.base, to}, tile.vectors, math.sub(high, whole));
      });
    });
  });
}

void copyRows(IndexMath &math, Tile tile, const Matrix &a, Index low, Index high, Index k, Index depth, Value to) {
  OpBuilder &builder = math.builder;
  int64_t width = tile.lanes * tile.perWord();
  auto type = VectorType::get({width}, builder.getF32Type());
  math.loop(low, high, 1, [&](Index i) {
    Index from = math.add(math.add(a.offset, k), math.mul(i, a.stride));
    Index target = math.mul(math.sub(i, low), kRowStride);
    auto store = [&](Value numbers, Index column) {
      Index at = math.add(target, math.div(column, tile.perWord()));
      vector::StoreOp::create(builder, math.loc, words(math, tile, numbers), to, math.materialize(at));
    };
    Index whole = math.roundDown(depth, width);
    math.loop(0, whole, width, [&](Index column) {
      store(vector::LoadOp::create(builder, math.loc, type, a.flat, math.materialize(math.add(from, column))), column);
    });
    // The gap between rows takes the zeros of the last vector.
    math.ifLess(whole, depth, [&] {
      Value zero = arith::ConstantOp::create(builder, math.loc, builder.getZeroAttr(type));
      Value mask = vector::CreateMaskOp::create(builder, math.loc, type.cloneWith(std::nullopt, builder.getI1Type()),
                                                math.materialize(math.sub(depth, whole)));
      store(vector::MaskedLoadOp::create(builder, math.loc, type, a.flat, math.materialize(math.add(from, whole)), mask,
                                         zero),
            whole);
    });
  });
}

void copyColumns(IndexMath &math, Tile tile, const Matrix &a, Index columns, Index low, Index high, Index k,
                 Index depth, Value to) {
  int64_t vectors = (tile.rows + tile.lanes - 1) / tile.lanes, width = vectors * tile.lanes;
  // Panels whose vectors end within the row need no mask; where they end beyond the panel, the next k overwrites that.
  Index last = math.max(math.min(high, math.sub(math.max(columns, width - 1), width - 1)), low);
  Index whole = math.add(low, math.mul(math.ceilDiv(math.sub(last, low), tile.rows), tile.rows));
  // Row by row: its elements are together in memory.
  math.loop(0, depth, tile.perWord(), [&](Index row) {
    RowCopy copy(math, tile, row, depth, a.stride);
    Index line = math.add(a.offset, math.mul(math.add(k, row), a.stride));
    auto place = [&](Index i) {
      Index panel = math.mul(math.div(math.sub(i, low), tile.rows), panelStride(tile));
      return Place1D{to, math.add(panel, math.mul(math.div(row, tile.perWord()), tile.rows))};
    };
    // Rows are far apart: the processor does not see the next ones coming.
    Index ahead = math.add(line, math.mul(kRowsAhead, a.stride));
    math.loop(low, whole, tile.rows, [&](Index i) {
      memref::PrefetchOp::create(math.builder, math.loc, a.flat, math.materialize(math.add(ahead, i)),
                                 /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
      copy.copy({a.flat, math.add(line, i)}, place(i), vectors);
    });
    math.loop(whole, high, tile.rows, [&](Index i) {
      copy.copy({a.flat, math.add(line, i)}, place(i), vectors, math.sub(columns, i));
    });
  });
}

} // namespace tower::products
