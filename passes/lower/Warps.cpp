// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emitter's loops on a GPU: a row is a warp, columns are its lanes.
//
// A block has threads (lane, warp), so that the first thread number is the lane. What one lane stores the others see
// behind a barrier of the warp; there is another before it, for lanes that still read the old value.
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "passes/lower/Emitter.h"

using namespace mlir;

namespace tower::lower {

Value Emitter::lane() { return gpu::ThreadIdOp::create(*this, gpu::Dimension::x); }

Value Emitter::ofLane(int64_t each) { return each == 1 ? lane() : mul(lane(), index(each)); }

void Emitter::syncWarp() { NVVM::SyncWarpOp::create(*this, integer(-1, 32)); }

void Emitter::storeOnce(Value value, Value memory, ValueRange at) {
  bool outside = std::exchange(alongLanes, true);
  // A vector is a part of the row, this lane's own.
  if (isa<VectorType>(value.getType())) {
    store(value, memory, at);
  } else {
    syncWarp();
    ifThen(compare(arith::CmpIPredicate::eq, lane(), index(0)), [&] { store(value, memory, at); });
  }
  alongLanes = outside;
  syncWarp();
}

scf::ParallelOp Emitter::warpPerRow(Value count, Body body) {
  auto op = scf::ParallelOp::create(*this, ValueRange{index(0)}, ValueRange{count}, ValueRange{index(1)});
  if (auto most = bounds.find(count); most != bounds.end())
    op->setAttr(kAtMost, getI64IntegerAttr(most->second));
  if (group)
    op->setAttr(kGroup, getI64IntegerAttr(group));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.getBody());
  body(op.getInductionVars()[0]);
  return op;
}

void Emitter::blocks(Value count, Body body) {
  bool outside = std::exchange(alongLanes, true);
  warpPerRow(count, body)->setAttr(kBlocks, getUnitAttr());
  alongLanes = outside;
}

int64_t Emitter::atOnce(int64_t width) {
  for (int64_t count : {4, 2})
    if (width % count == 0 && width >= count * kWarp)
      return count;
  return 1;
}

void Emitter::lanesOf(Value from, Value to, int64_t each, VectorBody body) {
  bool outside = std::exchange(alongLanes, true);
  loop(add(from, ofLane(each)), to, each * kWarp, [&](Value column) { body(column, vectorOf(getF32Type(), each)); });
  alongLanes = outside;
  if (!alongLanes)
    syncWarp();
}

void Emitter::lanePerElement(Value count, Body body) {
  Value warps = divideUp(count, kWarp);
  if (auto most = bounds.find(count); most != bounds.end())
    bound(warps, llvm::divideCeil(most->second, kWarp));
  warpPerRow(warps, [&](Value warp) {
    Value i = add(mul(warp, index(kWarp)), lane());
    bool outside = std::exchange(alongLanes, true);
    ifThen(compare(arith::CmpIPredicate::slt, i, count), [&] { body(i); });
    alongLanes = outside;
    // Where one warp is enough the loop is no kernel of its own.
    syncWarp();
  });
}

Value Emitter::acrossLanes(Value value, bool maximum) {
  for (int32_t distance = kWarp / 2; distance > 0; distance /= 2) {
    auto other = gpu::ShuffleOp::create(*this, value, distance, kWarp, gpu::ShuffleMode::XOR);
    value = combine(value, other.getShuffleResult(), maximum);
  }
  return value;
}

void Emitter::inLanes(function_ref<void()> body) {
  bool outside = std::exchange(alongLanes, true);
  body();
  alongLanes = outside;
  syncWarp();
}

Value Emitter::fromLane(Value value, Value lane) {
  return gpu::ShuffleOp::create(*this, value, lane, integer(kWarp, 32), gpu::ShuffleMode::IDX).getShuffleResult();
}

Value Emitter::scanLanes(Value value) {
  for (int32_t distance = 1; distance < kWarp; distance *= 2) {
    auto before = gpu::ShuffleOp::create(*this, value, distance, kWarp, gpu::ShuffleMode::UP);
    Value hasOne = compare(arith::CmpIPredicate::sge, lane(), index(distance));
    value = select(hasOne, add(value, before.getShuffleResult()), value);
  }
  return value;
}

Value Emitter::atomic(arith::AtomicRMWKind kind, Value value, Value memory, ValueRange at) {
  return memref::AtomicRMWOp::create(*this, value.getType(), kind, value, memory, at);
}

Value Emitter::claim(Value value, Value memory, ValueRange at) {
  auto op = memref::GenericAtomicRMWOp::create(*this, memory, at);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.getBody());
  Value found = op.getCurrentValue();
  Value isFree = compare(arith::CmpIPredicate::eq, found, integer(0, 32));
  memref::AtomicYieldOp::create(*this, select(isFree, value, found));
  return op.getResult();
}

Value Emitter::foldOnWarp(Value width, int64_t each, FoldBody body, bool maximum) {
  VectorType type = vectorOf(getF32Type(), each);
  bool outside = std::exchange(alongLanes, true);
  Values mine =
      loop(ofLane(each), width, each * kWarp, neutral(type, maximum), [&](Value column, ValueRange before) -> Values {
        return {combine(before[0], body(column, type), maximum)};
      });
  alongLanes = outside;
  // What the body stored is for all lanes.
  syncWarp();
  return acrossLanes(reduce(mine[0]), maximum);
}

SmallVector<Part> Emitter::partsOfLanes(Value from, int64_t width) {
  SmallVector<Part> result;
  int64_t each = atOnce(width);
  for (int64_t first = 0; first < width; first += each * kWarp) {
    Value column = add(ofLane(each), index(first)), valid;
    if (width - first < each * kWarp) {
      valid = compare(arith::CmpIPredicate::slt, column, index(width));
      column = min(column, index(width - each));
    }
    result.push_back({add(from, column), vectorOf(getF32Type(), each), valid});
  }
  return result;
}

} // namespace tower::lower
