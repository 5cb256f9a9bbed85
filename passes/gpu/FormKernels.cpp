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
#include "passes/Passes.h"
#include "passes/gpu/KernelMaker.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_FORMKERNELS
#include "passes/Passes.h.inc"

namespace {

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
  explicit Former(func::FuncOp function)
      : function(function), b(function.getLoc(), function), pure(function), kernels(function, pure) {}
  LogicalResult run();

private:
  LogicalResult formIn(Block &block, ArrayRef<Guard> guards);
  LogicalResult structure(Operation *op, ArrayRef<Guard> guards);
  LogicalResult draw(func::CallOp call);
  void uploadArguments();

  func::FuncOp function;
  ImplicitLocOpBuilder b;
  PureOps pure;
  KernelMaker kernels;
};

LogicalResult Former::run() {
  uploadArguments();
  if (failed(formIn(function.getBody().front(), {})))
    return failure();
  // What uses the results of what was cut is pure and has no use any more.
  SmallVector<Operation *> ops;
  function.getBody().front().walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (!op->hasTrait<OpTrait::IsTerminator>())
      ops.push_back(op);
    return kernels.cut.contains(op) ? WalkResult::skip() : WalkResult::advance();
  });
  for (Operation *op : llvm::reverse(ops))
    if (kernels.cut.contains(op) || (op->use_empty() && pure.contains(op)))
      op->erase();
  return success();
}

LogicalResult Former::formIn(Block &block, ArrayRef<Guard> guards) {
  Stretch stretch;
  auto finish = [&] {
    if (!stretch.ops.empty())
      kernels.form(stretch, guards);
    stretch.ops.clear();
  };
  for (Operation &op : llvm::make_early_inc_range(block.without_terminator())) {
    b.setLoc(op.getLoc());
    if (isa<memref::AllocOp, memref::AllocaOp, gpu::LaunchFuncOp, gpu::MemcpyOp>(op) || pure.contains(&op))
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
      if (!kernels.cut.contains(&left))
        left.moveBefore(op);
  }
  kernels.cut.insert(op);
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
    kernels.replace(argument, device);
  }
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
