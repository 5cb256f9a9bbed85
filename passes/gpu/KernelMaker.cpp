// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/KernelMaker.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "passes/gpu/Kernels.h"
#include "passes/lower/Emitter.h"

using namespace mlir;

namespace tower {

bool Stretch::isLoop() const { return isa<scf::ParallelOp>(ops.front()); }
bool Stretch::isProduct() const { return isa<linalg::LinalgOp>(ops.front()); }

/// A value of the host's as a parameter of the kernel.
Value KernelMaker::parameter(Value value) {
  for (auto [i, operand] : llvm::enumerate(operands))
    if (operand == value)
      return kernel.getArgument(i);
  operands.push_back(value);
  unsigned last = kernel.getNumArguments();
  (void)kernel.insertArgument(last, value.getType(), {}, value.getLoc());
  return kernel.getArgument(last);
}

Value KernelMaker::inKernel(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  if (Value memory = kept.lookup(value)) {
    Value loaded = memref::LoadOp::create(b, parameter(memory), ValueRange());
    if (value.getType().isIndex())
      loaded = arith::IndexCastOp::create(b, value.getType(), loaded);
    mapping.map(value, loaded);
    return loaded;
  }
  if (Value device = onDevice.lookup(value))
    return parameter(device);
  Operation *definition = value.getDefiningOp();
  if (!definition || isa<memref::AllocOp>(definition))
    return parameter(value);
  return cloneInto(definition)->getResult(cast<OpResult>(value).getResultNumber());
}

/// Makes what the op and its regions use from outside known in the kernel.
void KernelMaker::bringOperands(Operation *op) {
  SmallVector<Value> used(op->getOperands());
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (!op->isAncestor(operand.getParentBlock()->getParentOp()))
        used.push_back(operand);
  });
  for (Value value : used)
    mapping.map(value, inKernel(value));
}

Operation *KernelMaker::cloneInto(Operation *op) {
  bringOperands(op);
  return b.clone(*op, mapping);
}

/// Results that other kernels want go to memory.
void KernelMaker::keepResults(Operation *op) {
  for (Value result : op->getResults()) {
    if (!pure.isWantedOutside(result, cut))
      continue;
    Type type = result.getType();
    Value memory;
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(&function.getBody().front());
      memory = memref::AllocOp::create(b, MemRefType::get({}, type.isIndex() ? b.getI64Type() : type),
                                       b.getI64IntegerAttr(64));
    }
    Value value = mapping.lookup(result);
    if (type.isIndex())
      value = arith::IndexCastOp::create(b, b.getI64Type(), value);
    // All lanes have the same value.
    memref::StoreOp::create(b, value, parameter(memory), ValueRange());
    kept[result] = memory;
  }
}

static int64_t launchedRows(scf::ParallelOp loop) {
  if (APInt count; matchPattern(loop.getUpperBound()[0], m_ConstantInt(&count)))
    return count.getSExtValue();
  auto most = loop->getAttrOfType<IntegerAttr>(lower::kAtMost);
  return most ? most.getInt() : kUnknownRows;
}

/// for (row = first warp; row < count; row += all warps), or with blocks in place of warps.
void KernelMaker::loopOverRows(scf::ParallelOp loop) {
  Value first = gpu::BlockIdOp::create(b, gpu::Dimension::x), all = gpu::GridDimOp::create(b, gpu::Dimension::x);
  if (!loop->hasAttr(lower::kBlocks)) {
    Value warps = arith::ConstantIndexOp::create(b, kWarpsOfBlock);
    Value warp = gpu::ThreadIdOp::create(b, gpu::Dimension::y);
    first = arith::AddIOp::create(b, arith::MulIOp::create(b, first, warps), warp);
    all = arith::MulIOp::create(b, all, warps);
  }
  Value count = inKernel(loop.getUpperBound()[0]);
  auto rows = scf::ForOp::create(b, first, count, all);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(rows.getBody());
  mapping.map(loop.getInductionVars()[0], rows.getInductionVar());
  for (Operation &op : loop.getBody()->without_terminator())
    cloneInto(&op);
}

/// Memory that a block allocates becomes the kernel's.
void KernelMaker::shareMemory() {
  kernel->setAttr(kAlone, b.getUnitAttr());
  kernel.walk([&](memref::AllocaOp op) {
    op.replaceAllUsesWith(addShared(kernel, op.getType().getNumElements()));
    op.erase();
  });
}

void KernelMaker::startKernel(const Stretch &stretch) {
  if (!module) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(function);
    module = gpu::GPUModuleOp::create(b, (function.getName() + "_kernels").str());
  }
  Operation *last = stretch.ops.back();
  std::string name = "sequence";
  if (auto named = dyn_cast<NameLoc>(stretch.ops.front()->getLoc()))
    name = named.getName().str();
  b.setInsertionPointToEnd(module.getBody());
  b.setLoc(last->getLoc());
  kernel = makeKernel(b, function.getName() + "_" + name + "_" + Twine(kernels++), {});
  operands.clear();
  mapping.clear();
}

void KernelMaker::form(const Stretch &stretch, ArrayRef<Guard> guards) {
  Operation *last = stretch.ops.back();
  startKernel(stretch);
  for (auto [condition, holds] : guards) {
    Value guard = inKernel(condition);
    if (!holds)
      guard = arith::XOrIOp::create(b, guard, arith::ConstantIntOp::create(b, 1, 1));
    b.setInsertionPointToStart(scf::IfOp::create(b, guard, /*withElseRegion=*/false).thenBlock());
  }
  for (Operation *op : stretch.ops)
    cut.insert(op);
  int64_t blocks = 1, warps = 1;
  if (stretch.isLoop()) {
    auto loop = cast<scf::ParallelOp>(stretch.ops.front());
    loopOverRows(loop);
    if (Attribute group = loop->getAttr(lower::kGroup))
      kernel->setAttr(lower::kGroup, group);
    warps = kWarpsOfBlock;
    blocks = launchedRows(loop);
    if (loop->hasAttr(lower::kBlocks))
      shareMemory();
    else
      blocks = llvm::divideCeil(blocks, warps);
    blocks = std::clamp<int64_t>(blocks, 1, kMostBlocks);
  } else {
    // All operands first, so that an epilogue is next to its product.
    if (stretch.isProduct())
      for (Operation *op : stretch.ops)
        bringOperands(op);
    for (Operation *op : stretch.ops)
      cloneInto(op);
    for (Operation *op : stretch.ops)
      keepResults(op);
    if (stretch.isProduct()) {
      auto product = cast<linalg::LinalgOp>(stretch.ops.front());
      ProductTile tile = tileOf(product);
      kernel->setAttr(kProductKernel, b.getDenseI64ArrayAttr({tile.rows, tile.columns}));
      blocks = tilesOf(product, tile);
      warps = kWarpsOfProduct;
    }
  }
  runLoopsInOrder(kernel);
  b.setInsertionPointAfter(last);
  launchKernel(b, kernel, blocks, warps, operands);
}

} // namespace tower
