// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels take pointers and integers: what the driver of a GPU passes, and what a test passes to a kernel's host form.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Frame.h"
#include "passes/Passes.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_KERNELARGUMENTS
#include "passes/Passes.h.inc"

namespace {

void flattenParameters(gpu::GPUFuncOp kernel, const LLVMTypeConverter &converter) {
  Block &body = kernel.getBody().front();
  auto b = ImplicitLocOpBuilder::atBlockBegin(kernel.getLoc(), &body);
  unsigned count = kernel.getNumArguments();
  SmallVector<Type> types;
  auto add = [&](Type type) {
    types.push_back(type);
    return body.insertArgument(count + types.size() - 1, type, kernel.getLoc());
  };
  for (unsigned i = 0; i < count; ++i) {
    BlockArgument old = body.getArgument(i);
    Value fresh;
    if (auto memory = dyn_cast<MemRefType>(old.getType())) {
      Value pointer = add(LLVM::LLVMPointerType::get(b.getContext()));
      SmallVector<Value> sizes;
      for (unsigned d = 0; d < memory.getNumDynamicDims(); ++d)
        sizes.push_back(add(b.getI64Type()));
      fresh = memrefFromPointer(b, converter, memory, pointer, sizes);
    } else {
      fresh = arith::IndexCastOp::create(b, b.getIndexType(), add(b.getI64Type()));
    }
    old.replaceAllUsesWith(fresh);
  }
  body.eraseArguments(0, count);
  kernel.setFunctionType(b.getFunctionType(types, {}));
}

void flattenOperands(gpu::LaunchFuncOp launch, const LLVMTypeConverter &converter) {
  ImplicitLocOpBuilder b(launch.getLoc(), launch);
  SmallVector<Value> flat;
  auto integer = [&](Value index) { flat.push_back(arith::IndexCastOp::create(b, b.getI64Type(), index)); };
  for (Value operand : launch.getKernelOperands()) {
    auto memory = dyn_cast<MemRefType>(operand.getType());
    if (!memory) {
      integer(operand);
      continue;
    }
    flat.push_back(pointerFromMemref(b, converter, operand));
    for (int64_t d = 0; d < memory.getRank(); ++d)
      if (memory.isDynamicDim(d))
        integer(memref::DimOp::create(b, operand, d));
  }
  launch.getKernelOperandsMutable().assign(flat);
}

struct KernelArguments : impl::KernelArgumentsBase<KernelArguments> {
  void runOnOperation() override {
    LLVMTypeConverter converter(&getContext());
    // Kernels get views of whole buffers, or the buffers: never a part of one, whose strides they would not know.
    WalkResult legal = getOperation().walk([](gpu::LaunchFuncOp launch) {
      for (Value operand : launch.getKernelOperands())
        if (auto memory = dyn_cast<MemRefType>(operand.getType());
            memory ? !memory.getLayout().isIdentity() : !operand.getType().isIndex()) {
          launch.emitOpError() << "cannot pass " << operand.getType() << " to a kernel";
          return WalkResult::interrupt();
        }
      return WalkResult::advance();
    });
    if (legal.wasInterrupted())
      return signalPassFailure();
    getOperation().walk([&](gpu::LaunchFuncOp launch) { flattenOperands(launch, converter); });
    getOperation().walk([&](gpu::GPUFuncOp kernel) { flattenParameters(kernel, converter); });
  }
};

} // namespace
} // namespace tower
