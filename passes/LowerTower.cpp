// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns functions of tower ops on tensors into loops over memory. What each op becomes is in passes/lower/.
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "passes/Passes.h"
#include "passes/lower/Lower.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_LOWERTOWER
#include "passes/Passes.h.inc"

namespace {
struct LowerTower : impl::LowerTowerBase<LowerTower> {
  using LowerTowerBase::LowerTowerBase;

  void runOnOperation() override {
    SmallVector<func::FuncOp> functions;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto isTensor = [](Type type) { return isa<RankedTensorType>(type); };
      if (!function.isDeclaration() && llvm::all_of(function.getArgumentTypes(), isTensor) &&
          llvm::all_of(function.getResultTypes(), isTensor))
        functions.push_back(function);
    }
    for (func::FuncOp function : functions)
      if (failed(lower::Lowering(function, gpu ? lower::Machine::Gpu : lower::Machine::Cpu, chain).run()))
        return signalPassFailure();
  }
};
} // namespace
} // namespace tower
