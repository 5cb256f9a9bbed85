// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One run of the compiler: the module, and how far it has come.
#ifndef TOWERC_FRONTEND_COMPILATION_H
#define TOWERC_FRONTEND_COMPILATION_H

#include "frontend/DeviceCode.h"
#include "frontend/Driver.h"
#include "frontend/Explain.h"
#include "frontend/ManifestWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Support/Timing.h"
#include "passes/StepWork.h"
#include "passes/gpu/KernelReport.h"
#include "passes/target/EmitObject.h"
#include "llvm/Support/SourceMgr.h"

#include <map>
#include <optional>

namespace mlir {
class OpPassManager;
}

namespace tower {

class Compilation {
public:
  Compilation(const DriverOptions &options, const Spec &spec, mlir::TimingScope &timing);

  /// From the spec to the output. Errors have been said.
  mlir::LogicalResult run();
  /// What the optimizations decided as far as they ran.
  void explain(llvm::raw_ostream &os) const;

private:
  const DriverOptions &options;
  const Spec &spec;
  mlir::TimingScope &timing;
  mlir::MLIRContext context;
  llvm::SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler diagnostics;
  std::optional<Explanation> explanation;
  std::optional<KernelReport> kernels; ///< Once they are formed.
  mlir::OwningOpRef<mlir::ModuleOp> module;

  /// What the program has for a GPU.
  struct {
    mlir::OwningOpRef<mlir::ModuleOp> host; ///< In the LLVM dialect.
    std::map<std::string, int64_t> arenas;
    DeviceCode code;
  } gpu;

  // Compilation.cpp
  bool printsKernels() const { return options.stage >= Stage::Gpu && options.stage <= Stage::Cubin; }
  bool wantsGpu() const;
  bool wantsProcessor() const { return options.target != Target::Cuda && !printsKernels(); }
  std::string outputName() const;
  mlir::LogicalResult printModule();
  mlir::func::FuncOp trainStep() { return module->lookupSymbol<mlir::func::FuncOp>("train_step"); }
  /// Runs a phase of the pipeline; what its passes do is timed under its name.
  mlir::LogicalResult phase(llvm::StringRef name, llvm::function_ref<void(mlir::OpPassManager &)> build);
  /// The work of the step without any optimization.
  Work plainWork();
  /// All optimizations. Stops at a stage that was asked for.
  mlir::LogicalResult optimize(Work plain, bool forGpu);

  // CompileGpu.cpp
  /// Kernels as PTX and cubins; the host's program. Stops at a stage that was asked for.
  mlir::LogicalResult lowerToGpu();
  mlir::LogicalResult finishAssembly();

  // CompileProgram.cpp
  /// The code of each target in turn; together they become one program.
  mlir::LogicalResult lowerToMachine(llvm::ArrayRef<TargetDescription> targets, const ManifestWriter &manifest);
  mlir::LogicalResult checkBudget(int64_t arena);
  mlir::LogicalResult emitCode(const TargetDescription &target);
  mlir::LogicalResult link(llvm::StringRef object, llvm::StringRef output);
};

} // namespace tower

#endif
