// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tower-opt: reads IR, runs the passes named on the command line, prints IR. For tests and for looking.
#include "dialect/Tower.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "passes/gpu/KernelReport.h"

namespace {
/// What `towerc --explain` says of kernels, of each function that launches some.
struct PrintKernelWork : mlir::PassWrapper<PrintKernelWork, mlir::OperationPass<mlir::ModuleOp>> {
  llvm::StringRef getArgument() const override { return "test-print-kernel-work"; }
  llvm::StringRef getDescription() const override { return "Print what kernels do"; }
  void runOnOperation() override {
    for (auto function : getOperation().getOps<mlir::func::FuncOp>())
      if (tower::DeviceStep step = tower::workOfKernels(function); !step.kernels.empty())
        tower::KernelReport{step, {}, {}}.print(llvm::outs());
  }
};
} // namespace

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  tower::registerTowerPasses();
  tower::registerTowerPipelines();
  mlir::PassRegistration<PrintKernelWork>();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<tower::TowerDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "towerc's pass driver\n", registry));
}
