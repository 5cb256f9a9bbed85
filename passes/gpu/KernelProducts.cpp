// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of a GPU: tiles of C by blocks, on tensor cores. While a block multiplies one part of the depth, the next
// one is on its way to the other half of its shared memory.
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "passes/Passes.h"
#include "passes/Products.h"
#include "passes/gpu/Alignment.h"
#include "passes/gpu/Kernels.h"
#include "passes/gpu/SharedTile.h"
#include "passes/products/Epilogue.h"

using namespace mlir;
using tower::lower::Emitter;
using tower::lower::kWarp;
using tower::lower::Values;

namespace tower {
#define GEN_PASS_DEF_LOWERKERNELPRODUCTS
#include "passes/Passes.h.inc"

namespace {

/// Warps of a block: so many above each other and side by side in a tile.
constexpr int64_t kWarpsDown = 2, kWarpsAcross = 4;
static_assert(kWarpsDown * kWarpsAcross == kWarpsOfProduct);
constexpr int64_t kThreads = kWarpsOfProduct * kWarp;

class Product {
public:
  Product(linalg::MatmulOp op, Emitter &b)
      : b(b), a(op.getDpsInputs()[0]), right(op.getDpsInputs()[1]), c(op.getDpsInits()[0]),
        accumulate(!op->hasAttr(kOverwriteAttr)), generic(products::findEpilogue(op)), bf16(op->hasAttr(kBf16Attr)) {
    auto maps = op.getIndexingMapsArray();
    aTransposed = maps[0].getResult(0) == getAffineDimExpr(2, op.getContext());
    bTransposed = maps[1].getResult(0) == getAffineDimExpr(1, op.getContext());
    if (generic)
      epilogue = products::readEpilogue(generic);
    m = b.extent(c, 0);
    n = b.extent(c, 1);
    k = b.extent(a, aTransposed ? 0 : 1);
  }

  void onBlocks(gpu::GPUFuncOp kernel);
  void onWarp();
  void eraseEpilogue() {
    if (generic)
      generic.erase();
  }

private:
  Values sumTile(SharedTile &ofA, SharedTile &ofB, Value firstRow, Value firstColumn);
  void addDepths(TensorCores &cores, const Panel &ofA, const Panel &ofB, Values &sums);
  void finishTile(ValueRange sums, Value firstRow, Value firstColumn);
  void finishFour(Value sums, Value i, Value j);
  Value elementOfA(Value i, Value at) { return aTransposed ? b.load(a, {at, i}) : b.load(a, {i, at}); }
  Value elementOfB(Value at, Value j) { return bTransposed ? b.load(right, {j, at}) : b.load(right, {at, j}); }
  void finish(Value sum, Value i, Value j);
  Value get(Value memory, ValueRange at, Type type);
  Value constant(double value, Type type) {
    auto vector = dyn_cast<VectorType>(type);
    return vector ? b.splat(value, vector) : b.f32(value);
  }
  Value both(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
  Value inside(Value i, Value limit) { return b.compare(arith::CmpIPredicate::slt, i, limit); }

  Emitter &b;
  Value a, right, c;
  bool accumulate, aTransposed = false, bTransposed = false;
  linalg::GenericOp generic;
  Epilogue epilogue;
  Value m, n, k;
  bool bf16;

  // Of a kernel.
  ProductTile tile;
  int64_t rowTiles = 0, columnTiles = 0; ///< Of a warp: 16 rows, 8 columns each.
  Value thread, shared, warpRow, warpColumn;
};

/// An element, or four in a row.
Value Product::get(Value memory, ValueRange at, Type type) {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? b.loadVector(vector, memory, at) : b.load(memory, at);
}

/// What becomes of one element or of four when their sums are complete.
void Product::finish(Value sum, Value i, Value j) {
  Type type = sum.getType();
  if (accumulate)
    sum = b.add(sum, get(c, {i, j}, type));
  Value zero = constant(0, type);
  if (epilogue.bias)
    sum = b.add(sum, get(epilogue.bias, j, type));
  // NaN stays NaN.
  if (epilogue.relu)
    sum = b.select(b.compare(arith::CmpFPredicate::OLT, sum, zero), zero, sum);
  if (epilogue.gate)
    sum = b.select(b.compare(arith::CmpFPredicate::OGT, get(epilogue.gate, {i, j}, type), zero), sum, zero);
  if (isa<VectorType>(type))
    vector::StoreOp::create(b, sum, c, ValueRange{i, j}, /*nontemporal=*/false, alignmentAt(c, {i, j}, kVector));
  else
    memref::StoreOp::create(b, sum, c, ValueRange{i, j});
}

/// Columns j to j + 3, as many as there are.
void Product::finishFour(Value sums, Value i, Value j) {
  auto oneByOne = [&] {
    for (int64_t e = 0; e < kVector; ++e) {
      Value column = b.add(j, b.index(e));
      b.ifThen(inside(column, n), [&] { finish(vector::ExtractOp::create(b, sums, e), i, column); });
    }
  };
  std::optional<int64_t> width = getConstantIntValue(n);
  if (width && *width % kVector == 0)
    return b.ifThen(inside(j, n), [&] { finish(sums, i, j); });
  b.ifThen(
      inside(b.add(j, b.index(kVector - 1)), n), [&] { finish(sums, i, j); }, oneByOne);
}

void Product::finishTile(ValueRange sums, Value firstRow, Value firstColumn) {
  TensorCores cores(b, bf16);
  Value row = b.add(b.add(firstRow, warpRow), cores.group());
  Value column = b.add(b.add(firstColumn, warpColumn), b.mul(cores.place(), b.index(kVector)));
  for (int64_t i = 0; i < rowTiles; ++i)
    for (bool upper : {false, true}) {
      Value at = b.add(row, b.index(16 * i + (upper ? 8 : 0)));
      b.ifThen(inside(at, m), [&] {
        for (int64_t pair = 0; pair < columnTiles / 2; ++pair)
          finishFour(cores.sumsOf(sums, columnTiles, i, upper, pair), at, b.add(column, b.index(16 * pair)));
      });
    }
}

/// sums += A B over the depths that are in shared memory.
void Product::addDepths(TensorCores &cores, const Panel &ofA, const Panel &ofB, Values &sums) {
  for (int64_t depth = 0; depth < kTileDepth; depth += cores.depth()) {
    SmallVector<TensorCores::Operand> left, right;
    for (int64_t i = 0; i < rowTiles; ++i)
      left.push_back(cores.left(ofA, b.add(warpRow, b.index(16 * i)), depth));
    for (int64_t j = 0; j < columnTiles; j += 2)
      cores.right(ofB, b.add(warpColumn, b.index(8 * j)), depth, right);
    cores.multiply(left, right, sums);
  }
}

Values Product::sumTile(SharedTile &ofA, SharedTile &ofB, Value firstRow, Value firstColumn) {
  TensorCores cores(b, bf16);
  Value startOfB = b.index(ofA.floats());
  auto copy = [&](Value depth, Value start) {
    ofA.copy(firstRow, depth, shared, start, thread, kThreads);
    ofB.copy(firstColumn, depth, shared, b.add(start, startOfB), thread, kThreads);
  };
  Value someAreMine = both(inside(b.add(firstRow, warpRow), m), inside(b.add(firstColumn, warpColumn), n));
  Values none(rowTiles * columnTiles * 4, b.f32(0));
  return inTwoHalves(
      b, k, kTileDepth, ofA.floats() + ofB.floats(), none, copy, [&](Value, Value start, ValueRange before) -> Values {
        Values sums(before);
        return b.choose(
            someAreMine, before.getTypes(),
            [&]() -> Values {
              Values after(sums);
              addDepths(cores, ofA.panel(shared, start), ofB.panel(shared, b.add(start, startOfB)), after);
              return after;
            },
            [&]() -> Values { return sums; });
      });
}

void Product::onBlocks(gpu::GPUFuncOp kernel) {
  auto sides = kernel->getAttrOfType<DenseI64ArrayAttr>(kProductKernel);
  tile = {sides[0], sides[1]};
  int64_t rowsOfWarp = tile.rows / kWarpsDown, columnsOfWarp = tile.columns / kWarpsAcross;
  rowTiles = rowsOfWarp / 16;
  columnTiles = columnsOfWarp / 8;
  shared = addShared(kernel, kSharedOfProduct);
  Value lane = gpu::ThreadIdOp::create(b, gpu::Dimension::x), warp = gpu::ThreadIdOp::create(b, gpu::Dimension::y);
  thread = b.add(b.mul(warp, b.index(kWarp)), lane);
  warpRow = b.mul(b.div(warp, b.index(kWarpsAcross)), b.index(rowsOfWarp));
  warpColumn = b.mul(Value(arith::RemUIOp::create(b, warp, b.index(kWarpsAcross))), b.index(columnsOfWarp));
  SharedTile ofA(b, a, /*depthIsInner=*/!aTransposed, /*isRight=*/false, tile.rows, kTileDepth, m, k);
  SharedTile ofB(b, right, /*depthIsInner=*/bTransposed, /*isRight=*/true, tile.columns, kTileDepth, n, k);
  Value across = b.divideUp(n, tile.columns), tiles = b.mul(b.divideUp(m, tile.rows), across);
  auto loop = scf::ForOp::create(b, gpu::BlockIdOp::create(b, gpu::Dimension::x), tiles,
                                 gpu::GridDimOp::create(b, gpu::Dimension::x));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value at = loop.getInductionVar();
  Value firstRow = b.mul(b.div(at, across), b.index(tile.rows));
  Value firstColumn = b.mul(Value(arith::RemUIOp::create(b, at, across)), b.index(tile.columns));
  finishTile(sumTile(ofA, ofB, firstRow, firstColumn), firstRow, firstColumn);
}

void Product::onWarp() {
  b.loop(b.index(0), m, 1, [&](Value i) {
    b.vectors(
        b.index(0), n,
        [&](Value j, VectorType) {
          Value sum = b.loop(b.index(0), k, 1, b.f32(0), [&](Value at, ValueRange before) -> Values {
            return {math::FmaOp::create(b, elementOfA(i, at), elementOfB(at, j), before[0])};
          })[0];
          finish(sum, i, j);
        },
        nullptr);
  });
}

struct LowerKernelProducts : impl::LowerKernelProductsBase<LowerKernelProducts> {
  void runOnOperation() override {
    getOperation().walk([](gpu::GPUFuncOp kernel) {
      SmallVector<linalg::MatmulOp> found;
      kernel.walk([&](linalg::MatmulOp op) { found.push_back(op); });
      for (linalg::MatmulOp op : found) {
        Emitter b(op.getLoc(), op, lower::Machine::Gpu);
        Product product(op, b);
        if (kernel->hasAttr(kProductKernel))
          product.onBlocks(kernel);
        else
          product.onWarp();
        product.eraseEpilogue();
        op.erase();
      }
    });
    getOperation().walk([&](linalg::LinalgOp left) {
      left->emitOpError("in a kernel is no product with an epilogue, and nothing else has a form for a GPU");
      signalPassFailure();
    });
  }
};

} // namespace
} // namespace tower
