// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The host's side of a GPU's program: calls of the runtime in place of launches and copies.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Constants.h"
#include "passes/Frame.h"
#include "passes/Passes.h"
#include "passes/PlanMemory.h"
#include "passes/RuntimeCalls.h"
#include "passes/gpu/Kernels.h"

#include <cstddef>

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_HOSTPROGRAM
#include "passes/Passes.h.inc"

namespace {

static_assert(sizeof(tower_kernel) == 16 && offsetof(tower_kernel, name) == 0 &&
              offsetof(tower_kernel, host_form) == 8);

class Program {
public:
  Program(func::FuncOp function, const LLVMTypeConverter &converter)
      : module(function->getParentOfType<ModuleOp>()), function(function), converter(converter),
        b(function.getLoc(), function), pointer(LLVM::LLVMPointerType::get(function.getContext())) {}

  void run() {
    unsigned last = function.getNumArguments();
    (void)function.insertArgument(last, pointer, {}, function.getLoc());
    runtime = function.getArgument(last);
    SmallVector<gpu::LaunchFuncOp> launches;
    function.walk([&](gpu::LaunchFuncOp op) { launches.push_back(op); });
    makeFrame(launches);
    for (gpu::LaunchFuncOp op : launches)
      launch(op);
    function.walk([&](gpu::MemcpyOp op) { upload(op); });
    function.walk([&](memref::AllocaOp op) { stage(op); });
  }

private:
  Value integer(int64_t value) { return LLVM::ConstantOp::create(b, b.getI64IntegerAttr(value)); }
  Value slot(Value base, int64_t number) {
    return LLVM::GEPOp::create(b, pointer, b.getI64Type(), base, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
  }

  /// Room for the arguments of one launch, and for pointers to them, which never change.
  void makeFrame(ArrayRef<gpu::LaunchFuncOp> launches) {
    size_t most = 0;
    for (gpu::LaunchFuncOp op : launches)
      most = std::max<size_t>(most, op.getNumKernelOperands());
    b.setInsertionPointToStart(&function.getBody().front());
    values = LLVM::AllocaOp::create(b, pointer, b.getI64Type(), integer(most));
    places = LLVM::AllocaOp::create(b, pointer, b.getI64Type(), integer(most));
    for (size_t i = 0; i < most; ++i)
      LLVM::StoreOp::create(b, slot(values, i), slot(places, i));
  }

  void launch(gpu::LaunchFuncOp op) {
    b.setInsertionPoint(op);
    b.setLoc(op.getLoc());
    for (auto [i, operand] : llvm::enumerate(op.getKernelOperands()))
      LLVM::StoreOp::create(b, operand, slot(values, i));
    auto i64 = [&](Value index) -> Value { return arith::IndexCastOp::create(b, b.getI64Type(), index); };
    func::CallOp::create(b, TOWER_RUNTIME_FUNCTION(module, tower_rt_launch),
                         ValueRange{runtime, kernel(op.getKernelName().getValue()), i64(op.getGridSizeX()),
                                    i64(op.getBlockSizeY()), places, integer(op.getNumKernelOperands())});
    op.erase();
  }

  void upload(gpu::MemcpyOp op) {
    b.setInsertionPoint(op);
    b.setLoc(op.getLoc());
    func::CallOp::create(b, TOWER_RUNTIME_FUNCTION(module, tower_rt_upload),
                         ValueRange{runtime, pointerFromMemref(b, converter, op.getDst()),
                                    pointerFromMemref(b, converter, op.getSrc()),
                                    integer(bytesOf(cast<MemRefType>(op.getDst().getType())))});
    op.erase();
  }

  void stage(memref::AllocaOp op) {
    b.setInsertionPoint(op);
    b.setLoc(op.getLoc());
    auto call = func::CallOp::create(b, TOWER_RUNTIME_FUNCTION(module, tower_rt_stage),
                                     ValueRange{runtime, integer(bytesOf(op.getType()))});
    op.replaceAllUsesWith(memrefFromPointer(b, converter, op.getType(), call.getResult(0), {}));
    op.erase();
  }

  /// The constant tower_kernel of that name; with the host form if the module has it.
  Value kernel(StringRef name) {
    std::string symbol = (name + "_kernel").str();
    auto global = module.lookupSymbol<LLVM::GlobalOp>(symbol);
    if (!global)
      global = makeKernel(name, symbol);
    return LLVM::AddressOfOp::create(b, global);
  }

  LLVM::GlobalOp makeKernel(StringRef name, StringRef symbol) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(function);
    LLVM::GlobalOp text = textConstant(b, (symbol + "_name").str(), name);
    auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), {pointer, pointer});
    return aggregateConstant(b, type, symbol, LLVM::Linkage::Internal, [&]() -> SmallVector<Value> {
      Value called = LLVM::AddressOfOp::create(b, text);
      if (auto form = module.lookupSymbol<LLVM::LLVMFuncOp>((name + kHostForm).str()))
        return {called, LLVM::AddressOfOp::create(b, form)};
      return {called, LLVM::ZeroOp::create(b, pointer)};
    });
  }

  ModuleOp module;
  func::FuncOp function;
  const LLVMTypeConverter &converter;
  ImplicitLocOpBuilder b;
  Type pointer;
  Value runtime, values, places;
};

struct HostProgram : impl::HostProgramBase<HostProgram> {
  void runOnOperation() override {
    LLVMTypeConverter converter(&getContext());
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (function->hasAttr(kArenaBytes))
        Program(function, converter).run();
    // Kernels were compiled on their own.
    for (auto kernels : llvm::make_early_inc_range(getOperation().getOps<gpu::GPUModuleOp>()))
      kernels.erase();
  }
};

} // namespace
} // namespace tower
