// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/gpu/HostForm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Frame.h"
#include "passes/PlanMemory.h"
#include "passes/RuntimeCalls.h"
#include "passes/gpu/Kernels.h"
#include "test/gpu/Device.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tower::gpu_test {
namespace {

class Form {
public:
  Form(ModuleOp module, gpu::GPUFuncOp kernel)
      : module(module), kernel(kernel), converter(module.getContext()), b(kernel.getLoc(), module.getContext()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())) {}

  LogicalResult make() {
    b.setInsertionPointToEnd(module.getBody());
    func::FuncOp thread = func::FuncOp::create(b, (kernel.getName() + "_thread").str(), kernel.getFunctionType());
    thread.setPrivate();
    SmallVector<BlockArgument> shared(kernel.getWorkgroupAttributions());
    int64_t number = 0;
    thread.getBody().takeBody(kernel.getBody());
    Block &body = thread.getBody().front();
    b.setInsertionPointToStart(&body);
    for (BlockArgument buffer : shared) {
      auto type = cast<MemRefType>(buffer.getType());
      type = MemRefType::get(type.getShape(), type.getElementType());
      Value address =
          call(TOWER_RUNTIME_FUNCTION(module, tower_device_shared), {integer(number++), integer(bytesOf(type))});
      buffer.replaceAllUsesWith(memrefFromPointer(b, converter, type, address, {}));
    }
    body.eraseArguments(thread.getFunctionType().getNumInputs(), shared.size());
    WalkResult known = thread.walk([&](Operation *op) { return replace(op); });
    if (known.wasInterrupted())
      return failure();
    makeEntry(thread);
    return success();
  }

private:
  Value integer(int64_t value) { return LLVM::ConstantOp::create(b, b.getI64IntegerAttr(value)); }
  Value call(func::FuncOp function, ValueRange operands) {
    auto op = func::CallOp::create(b, function, operands);
    return op.getNumResults() ? op.getResult(0) : Value();
  }
  Value place(tower_device_number number) {
    Value found = call(TOWER_RUNTIME_FUNCTION(module, tower_device_place), {integer(number)});
    return arith::IndexCastOp::create(b, b.getIndexType(), found);
  }
  static tower_device_number numberOf(gpu::Dimension dimension, tower_device_number x, tower_device_number y) {
    return dimension == gpu::Dimension::x ? x : y;
  }

  WalkResult replace(Operation *op) {
    b.setInsertionPoint(op);
    return llvm::TypeSwitch<Operation *, WalkResult>(op)
        .Case([&](gpu::ReturnOp end) {
          func::ReturnOp::create(b);
          end.erase();
          return WalkResult::advance();
        })
        .Case([&](gpu::ThreadIdOp id) { return with(id, place(numberOf(id.getDimension(), TOWER_LANE, TOWER_WARP))); })
        .Case([&](gpu::BlockIdOp id) { return with(id, place(TOWER_BLOCK)); })
        .Case([&](gpu::GridDimOp id) { return with(id, place(TOWER_BLOCKS)); })
        .Case([&](gpu::BarrierOp barrier) {
          call(TOWER_RUNTIME_FUNCTION(module, tower_device_barrier), {});
          barrier.erase();
          return WalkResult::advance();
        })
        .Case([&](NVVM::SyncWarpOp barrier) {
          call(TOWER_RUNTIME_FUNCTION(module, tower_device_sync_warp), {});
          barrier.erase();
          return WalkResult::advance();
        })
        .Case([&](gpu::ShuffleOp shuffle) { return exchange(shuffle); })
        .Default([](Operation *other) {
          if (!isa<gpu::GPUDialect, NVVM::NVVMDialect>(other->getDialect()))
            return WalkResult::advance();
          other->emitOpError("has no host form");
          return WalkResult::interrupt();
        });
  }

  WalkResult with(Operation *op, Value value) {
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
    return WalkResult::advance();
  }

  WalkResult exchange(gpu::ShuffleOp shuffle) {
    Type word = b.getI32Type(), type = shuffle.getValue().getType();
    if (shuffle.getMode() == gpu::ShuffleMode::DOWN || type.getIntOrFloatBitWidth() != 32) {
      shuffle.emitOpError("has no host form: only words by XOR, UP and IDX do");
      return WalkResult::interrupt();
    }
    Value bits = type.isF32() ? Value(arith::BitcastOp::create(b, word, shuffle.getValue())) : shuffle.getValue();
    Value lane = arith::IndexCastOp::create(b, word, place(TOWER_LANE)), from = shuffle.getOffset();
    if (shuffle.getMode() == gpu::ShuffleMode::XOR)
      from = arith::XOrIOp::create(b, lane, from);
    else if (shuffle.getMode() == gpu::ShuffleMode::UP)
      from = arith::SubIOp::create(b, lane, from);
    Value other = call(TOWER_RUNTIME_FUNCTION(module, tower_device_shuffle), {bits, from});
    return with(shuffle, type.isF32() ? Value(arith::BitcastOp::create(b, type, other)) : other);
  }

  /// void NAME_host(ptr arguments)
  void makeEntry(func::FuncOp thread) {
    b.setInsertionPointAfter(thread);
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {pointer});
    auto entry = LLVM::LLVMFuncOp::create(b, (kernel.getName() + kHostForm).str(), type, LLVM::Linkage::Internal);
    b.setInsertionPointToStart(entry.addEntryBlock(b));
    SmallVector<Value> operands;
    for (auto [i, operand] : llvm::enumerate(thread.getArgumentTypes())) {
      Value at = LLVM::GEPOp::create(b, pointer, pointer, entry.getArgument(0),
                                     ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
      operands.push_back(LLVM::LoadOp::create(b, operand, Value(LLVM::LoadOp::create(b, pointer, at))));
    }
    func::CallOp::create(b, thread, operands);
    LLVM::ReturnOp::create(b, ValueRange());
  }

  ModuleOp module;
  gpu::GPUFuncOp kernel;
  LLVMTypeConverter converter;
  ImplicitLocOpBuilder b;
  Type pointer;
};

} // namespace

LogicalResult makeHostForms(ModuleOp module) {
  for (auto kernels : module.getOps<gpu::GPUModuleOp>())
    for (auto kernel : llvm::make_early_inc_range(kernels.getOps<gpu::GPUFuncOp>()))
      if (failed(Form(module, kernel).make()))
        return failure();
  return success();
}

} // namespace tower::gpu_test
