// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels and a host program from one function. Every op of the function is one of three:
//  - pure: constants, arithmetic, views. Made again in each kernel that uses it.
//  - the host's: allocations, loops and conditions around kernels, calls of the runtime that draw numbers.
//  - a kernel's: all else, as it touches memory of the device.
#include "dialect/Tower.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "passes/Passes.h"
#include "passes/gpu/Kernels.h"
#include "passes/lower/Emitter.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_FORMKERNELS
#include "passes/Passes.h.inc"

namespace {

/// Kernels that stand in a row of ops: one scf.parallel, one product with its epilogue, or ops for a single warp.
struct Stretch {
  SmallVector<Operation *> ops;
  bool isLoop() const { return isa<scf::ParallelOp>(ops.front()); }
  bool isProduct() const { return isa<linalg::LinalgOp>(ops.front()); }
};

/// A condition around a stretch, and whether it must hold or not.
using Guard = std::pair<Value, bool>;

bool hasKernelsInside(Operation *op) {
  return op
      ->walk([&](Operation *inner) {
        return isa<scf::ParallelOp, linalg::LinalgOp>(inner) ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Whether the host has the argument in its own memory: scalars of a step, the order of masks.
bool isOnHost(func::FuncOp function, unsigned argument) {
  auto info = function.getArgAttrOfType<DictionaryAttr>(argument, kArgument);
  auto kind = info ? info.getAs<StringAttr>("kind") : StringAttr();
  return kind && llvm::is_contained({"step", "seed", "rate", "items", "mi_order"}, kind.getValue());
}

class Former {
public:
  explicit Former(func::FuncOp function) : function(function), b(function.getLoc(), function) {}
  LogicalResult run();

private:
  LogicalResult formIn(Block &block, ArrayRef<Guard> guards);
  LogicalResult structure(Operation *op, ArrayRef<Guard> guards);
  void form(const Stretch &stretch, ArrayRef<Guard> guards);
  LogicalResult draw(func::CallOp call);
  void uploadArguments();

  bool isPure(Operation *op);
  bool isExchanged(Operation *op);
  bool isFinalLoad(Operation *op);
  bool isWantedOutside(Value value);

  // In a kernel.
  void startKernel(const Stretch &stretch);
  Value inKernel(Value value);
  Value parameter(Value value);
  void bringOperands(Operation *op);
  Operation *cloneInto(Operation *op);
  void keepResults(Operation *op);
  void loopOverRows(scf::ParallelOp loop);
  int64_t launchedRows(scf::ParallelOp loop);
  void shareMemory();

  func::FuncOp function;
  ImplicitLocOpBuilder b;
  gpu::GPUModuleOp module;
  int64_t kernels = 0;
  llvm::DenseMap<Value, Value> kept;          ///< Memory of values that kernels made for others.
  llvm::DenseMap<Value, Value> deviceScalars; ///< Copies of the host's arguments.
  llvm::DenseMap<Operation *, bool> exchanged;
  llvm::DenseSet<Operation *> cut; ///< Ops that are in kernels now.

  gpu::GPUFuncOp kernel;
  SmallVector<Value> operands;
  IRMapping mapping;
};

// ---- What an op is -------------------------------------------------------------------------------------------------

/// The buffer that `value` is a view of.
Value bufferOf(Value value) {
  while (auto view = value.getDefiningOp<ViewLikeOpInterface>())
    value = view.getViewSource();
  return value;
}

/// A load whose memory nothing writes afterwards: it may be repeated in every kernel that wants the value.
bool Former::isFinalLoad(Operation *op) {
  auto load = dyn_cast<memref::LoadOp>(op);
  if (!load)
    return false;
  Block &body = function.getBody().front();
  Operation *place = body.findAncestorOpInBlock(*op);
  for (Value name : namesOf(bufferOf(load.getMemRef())))
    for (OpOperand &use : name.getUses()) {
      Operation *user = use.getOwner();
      bool writes = !isOtherName(user) && !isa<memref::LoadOp, vector::LoadOp, memref::DimOp, gpu::LaunchFuncOp,
                                               memref::ExtractAlignedPointerAsIndexOp>(user);
      Operation *ancestor = body.findAncestorOpInBlock(*user);
      if (writes && (ancestor == place || place->isBeforeInBlock(ancestor)))
        return false;
    }
  return true;
}

/// Whether it is made of what lanes exchange. Not made again: it may need values that are a lane's own.
bool Former::isExchanged(Operation *op) {
  auto [known, isNew] = exchanged.try_emplace(op, false);
  if (!isNew)
    return known->second;
  bool result = isa<gpu::ShuffleOp>(op) || llvm::any_of(op->getOperands(), [&](Value operand) {
                  Operation *definition = operand.getDefiningOp();
                  return definition && definition->getNumRegions() == 0 && isExchanged(definition);
                });
  return exchanged[op] = result;
}

bool Former::isPure(Operation *op) {
  if (op->getNumRegions() > 0 || isExchanged(op))
    return false;
  return isMemoryEffectFree(op) || isFinalLoad(op);
}

/// Whether ops outside of the kernel use the value, directly or by pure ops.
bool Former::isWantedOutside(Value value) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    for (Operation *around = user; around; around = around->getParentOp())
      if (cut.contains(around))
        return false;
    return isPure(user) ? llvm::any_of(user->getResults(), [&](Value result) { return isWantedOutside(result); })
                        : true;
  });
}

// ---- The host's program --------------------------------------------------------------------------------------------

LogicalResult Former::run() {
  uploadArguments();
  if (failed(formIn(function.getBody().front(), {})))
    return failure();
  // What uses the results of what was cut is pure and has no use any more.
  SmallVector<Operation *> ops;
  function.getBody().front().walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (!op->hasTrait<OpTrait::IsTerminator>())
      ops.push_back(op);
    return cut.contains(op) ? WalkResult::skip() : WalkResult::advance();
  });
  for (Operation *op : llvm::reverse(ops))
    if (cut.contains(op) || (op->use_empty() && isPure(op)))
      op->erase();
  return success();
}

LogicalResult Former::formIn(Block &block, ArrayRef<Guard> guards) {
  Stretch stretch;
  auto finish = [&] {
    if (!stretch.ops.empty())
      form(stretch, guards);
    stretch.ops.clear();
  };
  for (Operation &op : llvm::make_early_inc_range(block.without_terminator())) {
    b.setLoc(op.getLoc());
    if (isa<memref::AllocOp, memref::AllocaOp, gpu::LaunchFuncOp, gpu::MemcpyOp>(op) || isPure(&op))
      continue;
    if (auto call = dyn_cast<func::CallOp>(op)) {
      finish();
      if (failed(draw(call)))
        return failure();
    } else if (isa<scf::ParallelOp>(op)) {
      finish();
      stretch.ops.push_back(&op);
      finish();
    } else if (isa<linalg::LinalgOp>(op)) {
      // An epilogue goes with its product.
      if (isa<linalg::MatmulOp>(op) || (!stretch.ops.empty() && !stretch.isProduct()))
        finish();
      stretch.ops.push_back(&op);
    } else if (hasKernelsInside(&op)) {
      finish();
      if (failed(structure(&op, guards)))
        return failure();
    } else {
      if (!stretch.ops.empty() && stretch.isProduct())
        finish();
      stretch.ops.push_back(&op);
    }
  }
  finish();
  return success();
}

LogicalResult Former::structure(Operation *op, ArrayRef<Guard> guards) {
  auto isConstant = [](Value value) { return matchPattern(value, m_Constant()); };
  if (auto loop = dyn_cast<scf::ForOp>(op);
      loop && loop.getInitArgs().empty() && isConstant(loop.getLowerBound()) && isConstant(loop.getUpperBound()))
    return formIn(*loop.getBody(), guards);
  auto condition = dyn_cast<scf::IfOp>(op);
  if (!condition || condition.getNumResults() > 0)
    return op->emitOpError("has kernels inside, but the host does not know what it does");
  for (bool holds : {true, false}) {
    SmallVector<Guard> inner(guards);
    inner.emplace_back(condition.getCondition(), holds);
    Block *block = holds ? condition.thenBlock() : condition.elseBlock();
    if (!block)
      continue;
    if (failed(formIn(*block, inner)))
      return failure();
    // What is left launches kernels, each of which looks at the condition itself.
    for (Operation &left : llvm::make_early_inc_range(block->without_terminator()))
      if (!cut.contains(&left))
        left.moveBefore(op);
  }
  cut.insert(op);
  return success();
}

/// A call that draws numbers does so in the host's memory, which is then copied.
LogicalResult Former::draw(func::CallOp call) {
  Value pointer = call.getOperands().back();
  auto cast = pointer.getDefiningOp<LLVM::IntToPtrOp>();
  auto number = cast ? cast.getArg().getDefiningOp<arith::IndexCastOp>() : nullptr;
  auto address = number ? number.getIn().getDefiningOp<memref::ExtractAlignedPointerAsIndexOp>() : nullptr;
  if (!address || call.getNumResults() > 0)
    return call.emitOpError("cannot run on the host: it does not say where its numbers go");
  Value device = address.getSource();
  b.setInsertionPoint(call);
  Value host = memref::AllocaOp::create(b, llvm::cast<MemRefType>(device.getType()), b.getI64IntegerAttr(64));
  IRMapping toHost;
  toHost.map(device, host);
  for (Operation *op : {address.getOperation(), number.getOperation(), cast.getOperation()})
    b.clone(*op, toHost);
  call.setOperand(call.getNumOperands() - 1, toHost.lookup(pointer));
  b.setInsertionPointAfter(call);
  gpu::MemcpyOp::create(b, TypeRange(), ValueRange(), device, host);
  return success();
}

void Former::uploadArguments() {
  b.setInsertionPointToStart(&function.getBody().front());
  for (auto [i, argument] : llvm::enumerate(function.getArguments())) {
    auto type = cast<MemRefType>(argument.getType());
    if (!isOnHost(function, i) || type.getRank() > 0 || argument.use_empty())
      continue;
    Value device = memref::AllocOp::create(b, type, b.getI64IntegerAttr(64));
    gpu::MemcpyOp::create(b, TypeRange(), ValueRange(), device, argument);
    deviceScalars[argument] = device;
  }
}

// ---- A kernel ------------------------------------------------------------------------------------------------------

/// A value of the host's as a parameter of the kernel.
Value Former::parameter(Value value) {
  for (auto [i, operand] : llvm::enumerate(operands))
    if (operand == value)
      return kernel.getArgument(i);
  operands.push_back(value);
  unsigned last = kernel.getNumArguments();
  (void)kernel.insertArgument(last, value.getType(), {}, value.getLoc());
  return kernel.getArgument(last);
}

Value Former::inKernel(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  if (Value memory = kept.lookup(value)) {
    Value loaded = memref::LoadOp::create(b, parameter(memory), ValueRange());
    if (value.getType().isIndex())
      loaded = arith::IndexCastOp::create(b, value.getType(), loaded);
    mapping.map(value, loaded);
    return loaded;
  }
  if (Value device = deviceScalars.lookup(value))
    return parameter(device);
  Operation *definition = value.getDefiningOp();
  if (!definition || isa<memref::AllocOp>(definition))
    return parameter(value);
  return cloneInto(definition)->getResult(cast<OpResult>(value).getResultNumber());
}

/// Makes what the op and its regions use from outside known in the kernel.
void Former::bringOperands(Operation *op) {
  SmallVector<Value> used(op->getOperands());
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (!op->isAncestor(operand.getParentBlock()->getParentOp()))
        used.push_back(operand);
  });
  for (Value value : used)
    mapping.map(value, inKernel(value));
}

Operation *Former::cloneInto(Operation *op) {
  bringOperands(op);
  return b.clone(*op, mapping);
}

/// Results that other kernels want go to memory.
void Former::keepResults(Operation *op) {
  for (Value result : op->getResults()) {
    if (!isWantedOutside(result))
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

int64_t Former::launchedRows(scf::ParallelOp loop) {
  if (APInt count; matchPattern(loop.getUpperBound()[0], m_ConstantInt(&count)))
    return count.getSExtValue();
  auto most = loop->getAttrOfType<IntegerAttr>(lower::kAtMost);
  return most ? most.getInt() : kUnknownRows;
}

/// for (row = first warp; row < count; row += all warps), or with blocks in place of warps.
void Former::loopOverRows(scf::ParallelOp loop) {
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
void Former::shareMemory() {
  kernel->setAttr(kAlone, b.getUnitAttr());
  kernel.walk([&](memref::AllocaOp op) {
    op.replaceAllUsesWith(addShared(kernel, op.getType().getNumElements()));
    op.erase();
  });
}

void Former::startKernel(const Stretch &stretch) {
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

void Former::form(const Stretch &stretch, ArrayRef<Guard> guards) {
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

struct FormKernels : impl::FormKernelsBase<FormKernels> {
  void runOnOperation() override {
    getOperation()->setAttr(gpu::GPUDialect::getContainerModuleAttrName(), UnitAttr::get(&getContext()));
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (!function.isDeclaration() && !function.isPrivate() && failed(Former(function).run()))
        return signalPassFailure();
  }
};

} // namespace
} // namespace tower
