// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing B into panels and copying rows of A. No read leaves the operand: ends are masked.
#include "passes/products/Pack.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace tower::products {
namespace {

/// Rows of A^T that are asked for before they are copied.
constexpr int64_t kRowsAhead = 8;

/// Copies `count` vectors from one place to another.
void copyVectors(IndexMath &math, VectorType type, Place1D from, Place1D to, int64_t count) {
  for (int64_t v = 0; v < count; ++v) {
    Index shift = v * type.getNumElements();
    Value loaded =
        vector::LoadOp::create(math.builder, math.loc, type, from.base, math.materialize(math.add(from.offset, shift)));
    vector::StoreOp::create(math.builder, math.loc, loaded, to.base, math.materialize(math.add(to.offset, shift)));
  }
}

/// Copies the first `columns` elements of `count` vectors; the others are set to 0 at the target.
void copyMasked(IndexMath &math, VectorType type, Place1D from, Place1D to, int64_t count, Index columns) {
  OpBuilder &builder = math.builder;
  Value zero = arith::ConstantOp::create(builder, math.loc, builder.getZeroAttr(type));
  auto maskType = type.cloneWith(std::nullopt, builder.getI1Type());
  for (int64_t v = 0; v < count; ++v) {
    Index shift = v * type.getNumElements();
    Value left = math.materialize(math.sub(columns, shift));
    Value mask = vector::CreateMaskOp::create(builder, math.loc, maskType, left);
    Value loaded = vector::MaskedLoadOp::create(builder, math.loc, type, from.base,
                                                math.materialize(math.add(from.offset, shift)), mask, zero);
    vector::StoreOp::create(builder, math.loc, loaded, to.base, math.materialize(math.add(to.offset, shift)));
  }
}

} // namespace

Index PackedB::panel(IndexMath &math, Index k, Index j) const {
  return math.add(place.offset, math.add(math.mul(k, packedColumns), math.mul(j, depthBlock)));
}

void packB(IndexMath &math, Kernels &kernels, Tile tile, const Matrix &b, bool transposed, Index depth, Index low,
           Index high, bool wholePanels, const PackedB &packed) {
  auto type = VectorType::get({tile.lanes}, math.builder.getF32Type());
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
    math.loop(0, rows, 1, [&](Index row) {
      Index line = math.add(b.offset, math.mul(math.add(k, row), b.stride));
      Index shift = math.mul(row, tile.columns());
      Index whole = wholePanels ? high : math.add(low, math.roundDown(math.sub(high, low), tile.columns()));
      math.loop(low, whole, tile.columns(), [&](Index j) {
        Index to = math.add(packed.panel(math, k, j), shift);
        copyVectors(math, type, {b.flat, math.add(line, j)}, {packed.place.base, to}, tile.vectors);
      });
      if (wholePanels)
        return;
      math.ifLess(whole, high, [&] {
        Index to = math.add(packed.panel(math, k, whole), shift);
        copyMasked(math, type, {b.flat, math.add(line, whole)}, {packed.place.base, to}, tile.vectors,
                   math.sub(high, whole));
      });
    });
  });
}

void copyRows(IndexMath &math, Tile tile, const Matrix &a, Index low, Index high, Index k, Index depth, Value to) {
  auto type = VectorType::get({tile.lanes}, math.builder.getF32Type());
  math.loop(low, high, 1, [&](Index i) {
    Index from = math.add(math.add(a.offset, k), math.mul(i, a.stride));
    Index target = math.mul(math.sub(i, low), kRowStride);
    Index whole = math.roundDown(depth, tile.lanes);
    math.loop(0, whole, tile.lanes, [&](Index column) {
      copyVectors(math, type, {a.flat, math.add(from, column)}, {to, math.add(target, column)}, 1);
    });
    // The gap between rows takes the zeros of the last vector.
    math.ifLess(whole, depth, [&] {
      copyMasked(math, type, {a.flat, math.add(from, whole)}, {to, math.add(target, whole)}, 1, math.sub(depth, whole));
    });
  });
}

void copyColumns(IndexMath &math, Tile tile, const Matrix &a, Index columns, Index low, Index high, Index k,
                 Index depth, Value to) {
  auto type = VectorType::get({tile.lanes}, math.builder.getF32Type());
  int64_t vectors = (tile.rows + tile.lanes - 1) / tile.lanes, width = vectors * tile.lanes;
  // Panels whose vectors end within the row need no mask; where they end beyond the panel, the next k overwrites that.
  Index last = math.max(math.min(high, math.sub(math.max(columns, width - 1), width - 1)), low);
  Index whole = math.add(low, math.mul(math.ceilDiv(math.sub(last, low), tile.rows), tile.rows));
  // Row by row: its elements are together in memory.
  math.loop(0, depth, 1, [&](Index row) {
    Index line = math.add(a.offset, math.mul(math.add(k, row), a.stride));
    auto place = [&](Index i) {
      Index panel = math.mul(math.div(math.sub(i, low), tile.rows), panelStride(tile));
      return Place1D{to, math.add(panel, math.mul(row, tile.rows))};
    };
    // Rows are far apart: the processor does not see the next ones coming.
    Index ahead = math.add(line, math.mul(kRowsAhead, a.stride));
    math.loop(low, whole, tile.rows, [&](Index i) {
      memref::PrefetchOp::create(math.builder, math.loc, a.flat, math.materialize(math.add(ahead, i)),
                                 /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
      copyVectors(math, type, {a.flat, math.add(line, i)}, place(i), vectors);
    });
    math.loop(whole, high, tile.rows, [&](Index i) {
      copyMasked(math, type, {a.flat, math.add(line, i)}, place(i), vectors, math.sub(columns, i));
    });
  });
}

} // namespace tower::products
