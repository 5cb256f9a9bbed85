// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/gpu/HostForm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "passes/Frame.h"
#include "passes/PlanMemory.h"
#include "passes/RuntimeCalls.h"
#include "passes/gpu/Kernels.h"
#include "test/gpu/Device.h"
#include "test/gpu/HostProducts.h"
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
    if (failed(replaceProducts(thread)) || thread.walk([&](Operation *op) { return replace(op); }).wasInterrupted())
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
        .Case([&](nvgpu::DeviceAsyncCopyOp op) { return copy(op); })
        .Case([&](NVVM::CpAsyncCommitGroupOp op) {
          call(TOWER_RUNTIME_FUNCTION(module, tower_device_commit_copies), {});
          op.erase();
          return WalkResult::advance();
        })
        .Case([&](NVVM::CpAsyncWaitGroupOp op) {
          call(TOWER_RUNTIME_FUNCTION(module, tower_device_wait_for_copies), {integer(op.getN())});
          op.erase();
          return WalkResult::advance();
        })
        .Case([&](NVVM::ConvertF32x2ToBF16x2Op op) {
          auto bits = [&](Value number) { return arith::BitcastOp::create(b, b.getI32Type(), number).getResult(); };
          Value word =
              call(TOWER_RUNTIME_FUNCTION(module, tower_device_to_bf16), {bits(op.getSrcLo()), bits(op.getSrcHi())});
          return with(op, LLVM::BitcastOp::create(b, op.getType(), word));
        })
        .Default([](Operation *other) {
          if (!isa<gpu::GPUDialect, nvgpu::NVGPUDialect, NVVM::NVVMDialect>(other->getDialect()))
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

  /// The address of an element, which need not exist.
  Value addressOf(Value memory, ValueRange at) {
    auto parts = memref::ExtractStridedMetadataOp::create(b, memory);
    Value element = parts.getOffset();
    for (auto [index, stride] : llvm::zip(at, parts.getStrides()))
      element = arith::AddIOp::create(b, element, arith::MulIOp::create(b, index, stride));
    Value first = memref::ExtractAlignedPointerAsIndexOp::create(b, memory);
    Value start =
        LLVM::IntToPtrOp::create(b, pointer, arith::IndexCastOp::create(b, b.getI64Type(), first).getResult());
    Type type = cast<MemRefType>(memory.getType()).getElementType();
    return LLVM::GEPOp::create(
        b, pointer, type, start,
        ArrayRef<LLVM::GEPArg>{arith::IndexCastOp::create(b, b.getI64Type(), element).getResult()});
  }

  WalkResult copy(nvgpu::DeviceAsyncCopyOp op) {
    int64_t size = cast<MemRefType>(op.getDst().getType()).getElementTypeBitWidth() / 8;
    int64_t bytes = op.getDstElements().getSExtValue() * size;
    Value valid = integer(bytes);
    if (op.getSrcElements())
      valid =
          arith::MulIOp::create(b, arith::IndexCastOp::create(b, b.getI64Type(), op.getSrcElements()), integer(size));
    call(TOWER_RUNTIME_FUNCTION(module, tower_device_copy),
         {addressOf(op.getDst(), op.getDstIndices()), addressOf(op.getSrc(), op.getSrcIndices()), integer(bytes),
          valid});
    op.erase();
    return WalkResult::advance();
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
