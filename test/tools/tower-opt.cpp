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

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  tower::registerTowerPasses();
  tower::registerTowerPipelines();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<tower::TowerDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "towerc's pass driver\n", registry));
}
