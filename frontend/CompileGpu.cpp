// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From an optimized step to a GPU's code.
#include "frontend/Compilation.h"
#include "frontend/OutputFile.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "passes/PlanMemory.h"

using namespace mlir;
using namespace tower;

LogicalResult Compilation::finishAssembly() {
  TimingScope scope = timing.nest("assemble");
  return kernels ? gpu.code.finishAssembly(kernels->registers) : success();
}

LogicalResult Compilation::lowerToGpu() {
  GpuWork necessary = necessaryOperations(trainStep());
  if (failed(phase("kernels", [](OpPassManager &manager) { addKernelPhase(manager); })))
    return failure();
  kernels = KernelReport{workOfKernels(trainStep()), necessary, {}};
  gpu.arenas = arenaBytes(*module);
  if (options.printPlan) {
    llvm::outs() << "cuda\n";
    printPlan(*module, llvm::outs());
  }
  if (options.stage == Stage::Gpu)
    return printModule();
  if (failed(phase("arguments", [](OpPassManager &manager) { manager.addPass(createKernelArguments()); })))
    return failure();
  TimingScope scope = timing.nest("kernels to PTX");
  OwningOpRef<ModuleOp> kernels = lowerKernels(*module);
  if (!kernels)
    return failure();
  if (options.stage == Stage::Nvvm) {
    module = std::move(kernels);
    return printModule();
  }
  FailureOr<std::string> ptx = emitPtx(*kernels);
  if (failed(ptx))
    return failure();
  gpu.code.ptx = std::move(*ptx);
  if (options.stage == Stage::Ptx)
    return writeOutput(outputName(), gpu.code.ptx);
  scope.stop();
  if (failed(gpu.code.startAssembly(/*required=*/options.stage == Stage::Cubin)))
    return failure();
  if (options.stage == Stage::Cubin)
    return failed(finishAssembly()) ? failure() : writeOutput(outputName(), gpu.code.newest());
  if (failed(phase("convert", addHostPhase)))
    return failure();
  gpu.host = std::move(module);
  return success();
}
