// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of a GPU: tiles of C by blocks with shared memory.
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Passes.h"
#include "passes/Products.h"
#include "passes/gpu/Kernels.h"
#include "passes/lower/Emitter.h"
#include "passes/products/Epilogue.h"

using namespace mlir;
using tower::lower::Emitter;
using tower::lower::kWarp;
using tower::lower::Values;

namespace tower {
#define GEN_PASS_DEF_LOWERKERNELPRODUCTS
#include "passes/Passes.h.inc"

namespace {

/// Elements of a tile's row or column that a thread has: threads lie 16 x 16 in a tile.
constexpr int64_t kSide = 16, kEach = kTile / kSide;
static_assert(kSide * kSide == kWarpsOfProduct * kWarp);
/// Elements that a thread brings to shared memory for each operand.
constexpr int64_t kBrought = kTile * kTileDepth / (kWarpsOfProduct * kWarp);

class Product {
public:
  Product(linalg::MatmulOp op, Emitter &b)
      : b(b), a(op.getDpsInputs()[0]), right(op.getDpsInputs()[1]), c(op.getDpsInits()[0]),
        accumulate(!op->hasAttr(kOverwriteAttr)), generic(products::findEpilogue(op)) {
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
  void tile(Value firstRow, Value firstColumn);
  void bring(Value memory, bool alongDepth, Value shared, Value first, Value limit, Value depth);
  Value elementOfA(Value i, Value at) { return aTransposed ? b.load(a, {at, i}) : b.load(a, {i, at}); }
  Value elementOfB(Value at, Value j) { return bTransposed ? b.load(right, {j, at}) : b.load(right, {at, j}); }
  void finish(Value sum, Value i, Value j);
  Value inside(Value i, Value limit) { return b.compare(arith::CmpIPredicate::slt, i, limit); }
  Value both(Value x, Value y) { return arith::AndIOp::create(b, x, y); }

  Emitter &b;
  Value a, right, c;
  bool accumulate, aTransposed = false, bTransposed = false;
  linalg::GenericOp generic;
  Epilogue epilogue;
  Value m, n, k;
  Value thread, sharedA, sharedB;
};

/// What becomes of an element when its sum is complete.
void Product::finish(Value sum, Value i, Value j) {
  if (accumulate)
    sum = b.add(sum, b.load(c, {i, j}));
  Value zero = b.f32(0);
  if (epilogue.bias)
    sum = b.add(sum, b.load(epilogue.bias, j));
  // NaN stays NaN.
  if (epilogue.relu)
    sum = b.select(b.compare(arith::CmpFPredicate::OLT, sum, zero), zero, sum);
  if (epilogue.gate)
    sum = b.select(b.compare(arith::CmpFPredicate::OGT, b.load(epilogue.gate, {i, j}), zero), sum, zero);
  memref::StoreOp::create(b, sum, c, ValueRange{i, j});
}

/// Rows (or columns) [first, first + kTile) at depths [depth, depth + kTileDepth) as shared[depth][row]. Neighbouring
/// threads read neighbouring elements.
void Product::bring(Value memory, bool alongDepth, Value shared, Value first, Value limit, Value depth) {
  int64_t fast = alongDepth ? kTileDepth : kTile, threads = kSide * kSide;
  for (int64_t e = 0; e < kBrought; ++e) {
    Value at = b.add(thread, b.index(e * threads));
    Value inner = arith::RemUIOp::create(b, at, b.index(fast)), outer = b.div(at, b.index(fast));
    Value row = alongDepth ? outer : inner, d = alongDepth ? inner : outer;
    Value i = b.add(first, row), at2 = b.add(depth, d);
    Value there = both(inside(i, limit), inside(at2, k));
    Value element = b.choose(
        there, b.getF32Type(),
        [&]() -> Values {
          return {alongDepth ? b.load(memory, {i, at2}) : b.load(memory, {at2, i})};
        },
        [&]() -> Values { return {b.f32(0)}; })[0];
    memref::StoreOp::create(b, element, shared, ValueRange{d, row});
  }
}

void Product::tile(Value firstRow, Value firstColumn) {
  Value row = b.mul(b.div(thread, b.index(kSide)), b.index(kEach));
  Value column = arith::RemUIOp::create(b, thread, b.index(kSide));
  Values zeros(kEach * kEach, b.f32(0));
  Values sums = b.loop(b.index(0), k, kTileDepth, zeros, [&](Value depth, ValueRange before) -> Values {
    bring(a, !aTransposed, sharedA, firstRow, m, depth);
    bring(right, bTransposed, sharedB, firstColumn, n, depth);
    gpu::BarrierOp::create(b);
    Values after(before);
    for (int64_t d = 0; d < kTileDepth; ++d) {
      Values as, bs;
      for (int64_t e = 0; e < kEach; ++e) {
        as.push_back(b.load(sharedA, {b.index(d), b.add(row, b.index(e))}));
        bs.push_back(b.load(sharedB, {b.index(d), b.add(column, b.index(e * kSide))}));
      }
      for (int64_t i = 0; i < kEach; ++i)
        for (int64_t j = 0; j < kEach; ++j)
          after[i * kEach + j] = math::FmaOp::create(b, as[i], bs[j], after[i * kEach + j]);
    }
    gpu::BarrierOp::create(b);
    return after;
  });
  for (int64_t i = 0; i < kEach; ++i)
    for (int64_t j = 0; j < kEach; ++j) {
      Value at = b.add(firstRow, b.add(row, b.index(i)));
      Value to = b.add(firstColumn, b.add(column, b.index(j * kSide)));
      b.ifThen(both(inside(at, m), inside(to, n)), [&] { finish(sums[i * kEach + j], at, to); });
    }
}

void Product::onBlocks(gpu::GPUFuncOp kernel) {
  auto space = gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  // A row more than a tile has: threads that write a column meet different banks.
  auto type = MemRefType::get({kTileDepth, kTile + 1}, b.getF32Type(), AffineMap(), space);
  sharedA = kernel.addWorkgroupAttribution(type, b.getLoc());
  sharedB = kernel.addWorkgroupAttribution(type, b.getLoc());
  Value lane = gpu::ThreadIdOp::create(b, gpu::Dimension::x), warp = gpu::ThreadIdOp::create(b, gpu::Dimension::y);
  thread = b.add(b.mul(warp, b.index(kWarp)), lane);
  auto divideUp = [&](Value x) { return b.div(b.add(x, b.index(kTile - 1)), b.index(kTile)); };
  Value across = divideUp(n), tiles = b.mul(divideUp(m), across);
  auto loop = scf::ForOp::create(b, gpu::BlockIdOp::create(b, gpu::Dimension::x), tiles,
                                 gpu::GridDimOp::create(b, gpu::Dimension::x));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value at = loop.getInductionVar();
  tile(b.mul(b.div(at, across), b.index(kTile)), b.mul(Value(arith::RemUIOp::create(b, at, across)), b.index(kTile)));
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
