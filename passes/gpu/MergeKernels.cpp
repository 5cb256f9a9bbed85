// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fewer launches: kernels that do not wait for each other become one, each with blocks of its own.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "passes/Passes.h"
#include "passes/gpu/Kernels.h"
#include "passes/lower/Emitter.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_MERGEKERNELS
#include "passes/Passes.h.inc"

namespace {

struct Access {
  bool reads = false, writes = false;
};
using Accesses = llvm::SmallMapVector<Value, Access, 8>;

/// What a kernel does with the memory that an argument is.
Access accessOf(BlockArgument argument) {
  Access access;
  for (Value name : namesOf(argument))
    for (Operation *user : name.getUsers()) {
      if (isa<memref::LoadOp, vector::LoadOp, nvgpu::DeviceAsyncCopyOp>(user))
        access.reads = true;
      else if (isa<memref::StoreOp, vector::StoreOp>(user))
        access.writes = true;
      else if (!isOtherName(user) && !isa<memref::DimOp>(user))
        access = {true, true};
    }
  return access;
}

int64_t constant(Value value) {
  APInt found;
  return matchPattern(value, m_ConstantInt(&found)) ? found.getSExtValue() : 0;
}

/// Which launch may be when: a level is behind all that it needs.
class Levels {
public:
  int64_t place(const Accesses &accesses, Attribute group) {
    int64_t level = 0;
    for (auto &[memory, access] : accesses) {
      Times &times = of[memory];
      // Loops of one group touch different parts of what they have in common.
      bool together = group && group == times.group;
      int64_t written = together ? times.writtenBefore : times.written, read = together ? times.readBefore : times.read;
      if (access.reads)
        level = std::max(level, written + 1);
      if (access.writes)
        level = std::max(level, std::max(read, inParts(memory) && !access.reads ? -1 : written) + 1);
    }
    for (auto &[memory, access] : accesses) {
      Times &times = of[memory];
      if (!group || group != times.group)
        times = {group, times.written, times.read, times.written, times.read};
      if (access.reads)
        times.read = std::max(times.read, level);
      if (access.writes)
        times.written = std::max(times.written, level);
    }
    return level;
  }

private:
  struct Times {
    Attribute group;
    int64_t writtenBefore = -1, readBefore = -1, written = -1, read = -1;
  };
  static bool inParts(Value memory) {
    Operation *definition = memory.getDefiningOp();
    return definition && definition->hasAttr(lower::kParts);
  }

  llvm::DenseMap<Value, Times> of;
};

class Merger {
public:
  explicit Merger(func::FuncOp function) : b(function.getLoc(), function) {}

  void run(Block &block);

private:
  gpu::GPUFuncOp kernelOf(gpu::LaunchFuncOp launch) {
    return cast<gpu::GPUFuncOp>(SymbolTable::lookupNearestSymbolFrom(launch, launch.getKernelAttr()));
  }
  Accesses accessesOf(Operation *op);
  void merge(ArrayRef<gpu::LaunchFuncOp> launches);
  void inlineInto(gpu::GPUFuncOp kernel, gpu::LaunchFuncOp launch, ArrayRef<Value> operands, int64_t firstBlock,
                  int64_t warps);

  ImplicitLocOpBuilder b;
  int64_t merged = 0;
};

Accesses Merger::accessesOf(Operation *op) {
  Accesses accesses;
  op->walk([&](gpu::LaunchFuncOp launch) {
    for (auto [operand, argument] : llvm::zip(launch.getKernelOperands(), kernelOf(launch).getArguments())) {
      if (!isa<MemRefType>(argument.getType()))
        continue;
      Access access = accessOf(argument);
      accesses[operand].reads |= access.reads;
      accesses[operand].writes |= access.writes;
    }
  });
  return accesses;
}

void Merger::run(Block &block) {
  // By level and kind: products have registers and shared memory of their own. A loop is alone.
  std::map<std::tuple<int64_t, int, int64_t>, SmallVector<Operation *>> stages;
  Levels levels;
  int64_t loopsOrAlone = 0;
  for (Operation &op : block.without_terminator()) {
    auto launch = dyn_cast<gpu::LaunchFuncOp>(op);
    if (!launch && !isa<scf::ForOp>(op))
      continue;
    Attribute group = launch ? kernelOf(launch)->getAttr(lower::kGroup) : Attribute();
    int64_t level = levels.place(accessesOf(&op), group);
    bool alone = !launch || kernelOf(launch)->hasAttr(kAlone);
    int kind = alone ? 2 : kernelOf(launch)->hasAttr(kProductKernel) ? 1 : 0;
    stages[{level, kind, alone ? ++loopsOrAlone : 0}].push_back(&op);
  }
  for (auto &[key, ops] : stages) {
    for (Operation *op : ops)
      op->moveBefore(block.getTerminator());
    if (auto loop = dyn_cast<scf::ForOp>(ops.front())) {
      run(*loop.getBody());
      continue;
    }
    SmallVector<gpu::LaunchFuncOp> launches;
    int64_t operands = 0;
    for (Operation *op : ops) {
      auto launch = cast<gpu::LaunchFuncOp>(op);
      operands += launch.getNumKernelOperands();
      if (operands > kMostOperands) {
        merge(launches);
        launches.clear();
        operands = launch.getNumKernelOperands();
      }
      launches.push_back(launch);
    }
    merge(launches);
  }
}

/// if (firstBlock <= block < firstBlock + blocks of the launch) what its kernel does.
void Merger::inlineInto(gpu::GPUFuncOp kernel, gpu::LaunchFuncOp launch, ArrayRef<Value> operands, int64_t firstBlock,
                        int64_t warps) {
  gpu::GPUFuncOp source = kernelOf(launch);
  int64_t blocks = constant(launch.getGridSizeX());
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, value); };
  auto compare = [&](arith::CmpIPredicate predicate, Value x, int64_t y) -> Value {
    return arith::CmpIOp::create(b, predicate, x, index(y));
  };
  b.setLoc(launch.getLoc());
  Value block = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  Value mine = arith::AndIOp::create(b, compare(arith::CmpIPredicate::sge, block, firstBlock),
                                     compare(arith::CmpIPredicate::slt, block, firstBlock + blocks));
  if (constant(launch.getBlockSizeY()) < warps)
    mine = arith::AndIOp::create(b, mine,
                                 compare(arith::CmpIPredicate::slt, gpu::ThreadIdOp::create(b, gpu::Dimension::y),
                                         constant(launch.getBlockSizeY())));
  b.setInsertionPointToStart(scf::IfOp::create(b, mine, /*withElseRegion=*/false).thenBlock());
  IRMapping mapping;
  for (auto [argument, operand] : llvm::zip(source.getArguments(), operands))
    mapping.map(argument, operand);
  // A block is of one kernel: all may have the same shared memory.
  SmallVector<BlockArgument> shared(kernel.getWorkgroupAttributions());
  for (BlockArgument wanted : source.getWorkgroupAttributions()) {
    auto found = llvm::find_if(shared, [&](BlockArgument buffer) { return buffer.getType() == wanted.getType(); });
    if (found == shared.end()) {
      mapping.map(wanted, addShared(kernel, cast<MemRefType>(wanted.getType()).getNumElements()));
    } else {
      mapping.map(wanted, *found);
      shared.erase(found);
    }
  }
  Value local = arith::SubIOp::create(b, block, index(firstBlock)), grid = index(blocks);
  for (Operation &op : source.getBody().front().without_terminator())
    b.clone(op, mapping);
  Block *inlined = b.getInsertionBlock();
  inlined->walk([&](Operation *op) {
    if (isa<gpu::BlockIdOp>(op))
      op->getResult(0).replaceAllUsesWith(local);
    else if (isa<gpu::GridDimOp>(op))
      op->getResult(0).replaceAllUsesWith(grid);
  });
}

void Merger::merge(ArrayRef<gpu::LaunchFuncOp> launches) {
  if (launches.size() < 2)
    return;
  gpu::GPUFuncOp first = kernelOf(launches.front());
  SetVector<Value> operands;
  SmallVector<Type> types;
  int64_t blocks = 0, warps = 1;
  for (gpu::LaunchFuncOp launch : launches) {
    operands.insert(launch.getKernelOperands().begin(), launch.getKernelOperands().end());
    blocks += constant(launch.getGridSizeX());
    warps = std::max(warps, constant(launch.getBlockSizeY()));
  }
  for (Value operand : operands)
    types.push_back(operand.getType());
  b.setInsertionPoint(first);
  b.setLoc(FusedLoc::get(b.getContext(), llvm::map_to_vector(launches, [](auto launch) { return launch.getLoc(); })));
  gpu::GPUFuncOp kernel =
      makeKernel(b, first.getName() + "_and_" + Twine(launches.size() - 1) + "_more_" + Twine(merged++), types);
  Operation *end = &*b.getInsertionPoint();
  int64_t firstBlock = 0;
  for (gpu::LaunchFuncOp launch : launches) {
    b.setInsertionPoint(end);
    SmallVector<Value> given;
    for (Value operand : launch.getKernelOperands())
      given.push_back(kernel.getArgument(llvm::find(operands, operand) - operands.begin()));
    inlineInto(kernel, launch, given, firstBlock, warps);
    firstBlock += constant(launch.getGridSizeX());
  }
  b.setInsertionPoint(launches.back());
  launchKernel(b, kernel, blocks, warps, operands.getArrayRef());
  for (gpu::LaunchFuncOp launch : launches) {
    kernelOf(launch).erase();
    launch.erase();
  }
}

struct MergeKernels : impl::MergeKernelsBase<MergeKernels> {
  void runOnOperation() override {
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (!function.isDeclaration() && !function.isPrivate())
        Merger(function).run(function.getBody().front());
  }
};

} // namespace
} // namespace tower
