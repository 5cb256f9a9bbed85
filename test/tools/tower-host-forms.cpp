// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tower-host-forms: makes of the kernels that `towerc --emit=gpu` prints an object file of their host forms, which,
// linked to a shared library, is what the simulated driver runs (test/gpu/driver): NAME_host, and NAME_arguments, their
// number.
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "passes/PlanMemory.h"
#include "passes/gpu/Kernels.h"
#include "passes/target/EmitObject.h"
#include "test/gpu/HostForm.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"

using namespace mlir;
using namespace tower;

namespace cl = llvm::cl;

static cl::opt<std::string> input(cl::Positional, cl::Required, cl::desc("GPU.mlir"));
static cl::opt<std::string> output("o", cl::Required, cl::desc("Where to write the object file"));

static LogicalResult run(OpPassManager::Nesting nesting, ModuleOp module, void (*add)(OpPassManager &)) {
  PassManager manager(module.getContext(), ModuleOp::getOperationName(), nesting);
  add(manager);
  return manager.run(module);
}

/// Exports each kernel's form and how many arguments it has.
static void exportForms(ModuleOp module, const llvm::StringMap<int64_t> &arguments) {
  auto b = OpBuilder::atBlockEnd(module.getBody());
  for (const auto &[name, count] : arguments) {
    module.lookupSymbol<LLVM::LLVMFuncOp>((name + kHostForm).str()).setLinkage(LLVM::Linkage::External);
    LLVM::GlobalOp::create(b, module.getLoc(), b.getI64Type(), /*isConstant=*/true, LLVM::Linkage::External,
                           (name + "_arguments").str(), b.getI64IntegerAttr(count), /*alignment=*/8);
  }
}

static LogicalResult makeForms(ModuleOp module) {
  auto nesting = OpPassManager::Nesting::Explicit;
  if (failed(run(nesting, module, [](OpPassManager &manager) { manager.addPass(createKernelArguments()); })))
    return failure();
  llvm::StringMap<int64_t> arguments;
  module.walk([&](gpu::GPUFuncOp kernel) { arguments[kernel.getName()] = kernel.getNumArguments(); });
  // The host's program is the executable's.
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    if (function->hasAttr(kArenaBytes))
      function.erase();
  if (failed(gpu_test::makeHostForms(module)))
    return failure();
  exportForms(module, arguments);
  return run(nesting, module, addHostPhase);
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv, "Kernels of a GPU as code of this machine\n");
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  DialectRegistry registry;
  registerTowerDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(input.getValue(), &context);
  auto targets = describeTargets("native", llvm::errs());
  if (!module || failed(targets) || failed(makeForms(*module)))
    return 1;
  std::error_code error;
  llvm::raw_fd_ostream os(output, error);
  if (error) {
    llvm::errs() << "error: cannot write " << output << ": " << error.message() << "\n";
    return 1;
  }
  return failed(emitObject(*module, targets->front(), os));
}
