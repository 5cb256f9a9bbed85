// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop nest of one product, outside in: the part of B that is packed, pieces of C, blocks of k, blocks of rows of
// A, register tiles.
#include "passes/products/Emit.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/products/Pack.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace tower::products {
namespace {

/// Elements of B that one piece of packing should copy at least.
constexpr int64_t kMinPackedPiece = int64_t(1) << 15;

class Emitter {
public:
  Emitter(IndexMath &math, Kernels &kernels, const Product &product, const Blocking &blocking, scf::ParallelOp parallel)
      : math(math), kernels(kernels), p(product), cut(blocking), tile(blocking.tile), enclosing(parallel),
        m(product.extents.m.size), n(product.extents.n.size), k(product.extents.k.size) {}

  void run();

private:
  Value scratch(int64_t elements);
  Value stackScratch(int64_t elements);
  Value constant(bool value);
  Value isEqual(Index x, Index y);
  void packPart(Index columns, Index rows);
  void pieces(Index width, Index rows);
  void piece(Index rowLow, Index rowHigh, Index low, Index high, Index rowsOfPart);
  void rowsOfTiles(int64_t rows, Index low, Index high);
  void tiles(int64_t rows, Index i);
  void callKernel(int64_t rows, int64_t vectors, bool masked, Index i, Index j, Index columns);

  IndexMath &math;
  Kernels &kernels;
  const Product &p;
  const Blocking &cut;
  Tile tile;
  scf::ParallelOp enclosing;
  Index m, n, k;
  PackedB packed{};

  /// The part of B at hand: its first column and row.
  Index partColumn = 0, partDepth = 0;
  /// The block at hand: its piece's columns, its rows of A, its first k (within the part), its extent in k.
  Index columnLow = 0, columnHigh = 0, blockRow = 0, blockK = 0, depth = 0;
  Value first, last, packedA;
};

/// Scratch as kernels take it.
Value asFlat(IndexMath &math, Value memory) {
  auto type = MemRefType::get({ShapedType::kDynamic}, math.builder.getF32Type());
  return memref::CastOp::create(math.builder, math.loc, type, memory);
}

Value Emitter::stackScratch(int64_t elements) {
  auto type = MemRefType::get({elements}, math.builder.getF32Type());
  auto alignment = math.builder.getI64IntegerAttr(64);
  return asFlat(math, memref::AllocaOp::create(math.builder, math.loc, type, alignment));
}

/// Scratch of the whole product: planned memory, or in a piece of parallel work the piece's own stack, taken once.
Value Emitter::scratch(int64_t elements) {
  OpBuilder::InsertionGuard guard(math.builder);
  if (enclosing) {
    math.builder.setInsertionPointToStart(enclosing.getBody());
    return stackScratch(elements);
  }
  auto type = MemRefType::get({elements}, math.builder.getF32Type());
  auto alignment = math.builder.getI64IntegerAttr(64);
  return asFlat(math, memref::AllocOp::create(math.builder, math.loc, type, alignment));
}

void Emitter::run() {
  if (cut.packA && !cut.parallel)
    packedA = scratch(packedRows(tile, p.transposeA, cut.rowBlock));
  if (!cut.packB)
    return pieces(n, k);
  packed = {{scratch(cut.packedDepth * cut.packedColumns), 0}, cut.depthBlock, cut.packedColumns};
  if (cut.packedWhole) {
    packPart(n, k);
    return pieces(n, k);
  }
  math.loop(0, n, cut.packedColumns, [&](Index column) {
    partColumn = column;
    Index columns = math.blockLength(n, column, cut.packedColumns);
    // Once even if there is nothing to add: C must become 0.
    math.loop(0, math.max(k, 1), cut.packedDepth, [&](Index row) {
      partDepth = row;
      Index depthOfPart = math.blockLength(k, row, cut.packedDepth);
      packPart(columns, depthOfPart);
      pieces(columns, depthOfPart);
    });
  });
}

void Emitter::packPart(Index columns, Index rows) {
  Index row = partDepth, column = partColumn;
  if (p.transposeB)
    std::swap(row, column);
  Index start = math.add(p.b.offset, math.add(math.mul(row, p.b.stride), column));
  Matrix part{p.b.flat, start, p.b.stride};
  auto pack = [&](Index low, Index high) {
    packB(math, kernels, tile, part, p.transposeB, rows, low, high, n.isMultipleOf(tile.columns()), packed);
  };
  int64_t panel = tile.columns() * rows.knownOr(cut.packedDepth);
  int64_t panelsPerPiece = llvm::divideCeil(kMinPackedPiece, std::max<int64_t>(1, panel));
  Index count = math.ceilDiv(math.ceilDiv(columns, tile.columns()), panelsPerPiece);
  if (!cut.parallel || count.is(1))
    return pack(0, columns);
  math.parallel(count, [&](Index piece) {
    Index low = math.mul(piece, panelsPerPiece * tile.columns());
    pack(low, math.min(math.add(low, panelsPerPiece * tile.columns()), columns));
  });
}

void Emitter::pieces(Index width, Index rows) {
  if (!cut.parallel)
    return piece(0, m, 0, width, rows);
  // Where tile t of `count` begins, of all tiles along an extent.
  struct Cuts {
    Index tiles, count;
    int64_t unit;
    Index extent;
  };
  auto cuts = [&](Index extent, int64_t unit, int64_t number, int64_t perPiece) {
    Index tiles = math.ceilDiv(extent, unit);
    Index count = extent.isKnown() ? Index(std::min(number, tiles.known())) : math.ceilDiv(tiles, perPiece);
    return Cuts{tiles, count, unit, extent};
  };
  auto bounds = [&](const Cuts &c, Index at) {
    auto start = [&](Index i) { return math.mul(math.div(math.mul(i, c.tiles), c.count), c.unit); };
    return std::pair(start(at), math.min(start(math.add(at, 1)), c.extent));
  };
  Cuts down = cuts(m, tile.rows, cut.rowCuts, cut.rowTilesPerPiece);
  Cuts across = cuts(width, tile.columns(), cut.columnCuts, cut.columnTilesPerPiece);
  math.parallel(math.mul(down.count, across.count), [&](Index number) {
    if (cut.packA)
      packedA = stackScratch(packedRows(tile, p.transposeA, cut.rowBlock));
    // Neighbours share columns, hence the part of B that is in the cache.
    auto [rowLow, rowHigh] = bounds(down, down.count.is(1) ? Index(0) : math.rem(number, down.count));
    auto [columnLow, columnHigh] = bounds(across, across.count.is(1) ? Index(0) : math.div(number, down.count));
    piece(rowLow, rowHigh, columnLow, columnHigh, rows);
  });
}

Value Emitter::constant(bool value) {
  return arith::ConstantOp::create(math.builder, math.loc, math.builder.getBoolAttr(value));
}

Value Emitter::isEqual(Index x, Index y) {
  if (x.isKnown() && y.isKnown())
    return constant(x.known() == y.known());
  return arith::CmpIOp::create(math.builder, math.loc, arith::CmpIPredicate::eq, math.materialize(x),
                               math.materialize(y));
}

void Emitter::piece(Index rowLow, Index rowHigh, Index low, Index high, Index rowsOfPart) {
  columnLow = low;
  columnHigh = high;
  math.loop(0, math.max(rowsOfPart, 1), cut.depthBlock, [&](Index block) {
    blockK = block;
    depth = math.blockLength(rowsOfPart, block, cut.depthBlock);
    Index start = math.add(partDepth, block);
    first = p.overwrite ? isEqual(start, 0) : constant(false);
    last = isEqual(math.add(start, depth), k);
    math.loop(rowLow, rowHigh, cut.rowBlock, [&](Index row) {
      blockRow = row;
      Index end = math.min(math.add(row, cut.rowBlock), rowHigh);
      if (cut.packA && p.transposeA)
        copyColumns(math, tile, p.a, m, row, end, start, depth, packedA);
      else if (cut.packA)
        copyRows(math, tile, p.a, row, end, start, depth, packedA);
      Index whole = math.add(row, math.roundDown(math.sub(end, row), tile.rows));
      rowsOfTiles(tile.rows, row, whole);
      // What is left of the last rows; for other pieces these loops are empty.
      int64_t tail = m.isKnown() ? m.known() % tile.rows : tile.rows - 1;
      Index most = whole;
      if (tail >= tile.tailRows()) {
        most = tail % tile.tailRows() == 0 && m.isKnown()
                   ? end
                   : math.add(whole, math.roundDown(math.sub(end, whole), tile.tailRows()));
        rowsOfTiles(tile.tailRows(), whole, most);
      }
      if (!m.isKnown() || tail % tile.tailRows() != 0)
        rowsOfTiles(1, most, end);
    });
  });
}

void Emitter::rowsOfTiles(int64_t rows, Index low, Index high) {
  math.loop(low, high, rows, [&](Index i) { tiles(rows, i); });
}

/// The register tiles of `rows` rows from row i on.
void Emitter::tiles(int64_t rows, Index i) {
  Index whole = columnHigh;
  if (!n.isMultipleOf(tile.columns()))
    whole = math.add(columnLow, math.roundDown(math.sub(columnHigh, columnLow), tile.columns()));
  math.loop(columnLow, whole, tile.columns(),
            [&](Index j) { callKernel(rows, tile.vectors, /*masked=*/false, i, j, tile.columns()); });
  if (n.isMultipleOf(tile.columns()))
    return;
  math.ifLess(whole, columnHigh, [&] {
    int64_t tail = n.knownOr(-1) % tile.columns();
    int64_t vectors = n.isKnown() ? llvm::divideCeil(tail, tile.lanes) : tile.vectors;
    bool masked = !n.isKnown() || tail % tile.lanes != 0;
    callKernel(rows, vectors, masked, i, whole, math.sub(columnHigh, whole));
  });
}

void Emitter::callKernel(int64_t rows, int64_t vectors, bool masked, Index i, Index j, Index columns) {
  Index start = math.add(partDepth, blockK);
  KernelCall call{};
  call.kind = {rows, vectors, masked, p.transposeA, cut.packB, p.bias.flat != nullptr, p.relu, p.gate.flat != nullptr};
  call.depth = math.ceilDiv(depth, tile.perWord());
  call.columns = columns;
  call.first = first;
  call.last = last;
  Index row = math.sub(i, blockRow);
  if (!cut.packA)
    call.a = {p.a.flat, math.add(p.a.offset, math.add(math.mul(start, p.a.stride), i))};
  else if (!p.transposeA)
    call.a = {packedA, math.mul(row, kRowStride)};
  else
    call.a = {packedA, math.add(math.mul(math.div(row, tile.rows), panelStride(tile)), math.rem(row, tile.rows))};
  call.strideA = cut.packA ? Index(tile.rows) : p.a.stride;
  Index column = math.add(partColumn, j);
  if (cut.packB)
    call.b = {packed.place.base, packed.panel(math, blockK, j)};
  else
    call.b = {p.b.flat, math.add(p.b.offset, math.add(math.mul(start, p.b.stride), column))};
  call.strideB = p.b.stride;
  call.c = {p.c.flat, math.add(p.c.offset, math.add(math.mul(i, p.c.stride), column))};
  call.strideC = p.c.stride;
  if (call.kind.bias)
    call.bias = {p.bias.flat, math.add(p.bias.offset, column)};
  if (call.kind.gate) {
    call.gate = {p.gate.flat, math.add(p.gate.offset, math.add(math.mul(i, p.gate.stride), column))};
    call.strideGate = p.gate.stride;
  }
  kernels.call(math, call);
}

} // namespace

void emitProduct(IndexMath &math, Kernels &kernels, const Product &product, const Blocking &blocking,
                 scf::ParallelOp parallel) {
  Emitter(math, kernels, product, blocking, parallel).run();
}

} // namespace tower::products
