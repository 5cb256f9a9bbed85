// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A generated model on its way through the compiler, with data and values for all its tensors.
#ifndef TEST_DIFFERENTIAL_TESTMODEL_H
#define TEST_DIFFERENTIAL_TESTMODEL_H

#include "frontend/Explain.h"
#include "frontend/ModelReader.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "test/differential/Coverage.h"
#include "test/oracle/DataInputs.h"

#include <memory>

namespace tower::differential {

/// Says what disagreed, for the report.
using Failures = std::vector<std::string>;

class TestModel {
public:
  /// Generates model number `seed` into `folder` and takes it as far as the differentiated step. Failures say why it
  /// did not get there.
  TestModel(uint64_t seed, const std::string &folder, Coverage &coverage, Failures &failures);
  ~TestModel();

  uint64_t seed;
  std::string folder;
  oracle::Dice dice;
  std::optional<Spec> spec;
  mlir::MLIRContext context;
  Explanation explanation{context}; ///< What optimizations decided.
  std::unique_ptr<rt::Dataset> data;
  mlir::OwningOpRef<mlir::ModuleOp> dataflow; ///< After the build step.
  mlir::OwningOpRef<mlir::ModuleOp> gradient; ///< Differentiated, nothing else.
  oracle::Inputs inputs;                      ///< The data, tensors, seed; no step or rate.

  mlir::func::FuncOp trainStep(mlir::ModuleOp module) { return module.lookupSymbol<mlir::func::FuncOp>("train_step"); }

  /// The inputs at a step, with a random factor of the rates.
  oracle::Inputs at(int64_t step, float rate);

  /// What MLIR has said since the last call.
  std::string takeMessages();

private:
  bool read(Failures &failures);

  std::string messages;
  std::unique_ptr<mlir::ScopedDiagnosticHandler> handler;
};

/// Runs passes over a module and counts them.
bool runPasses(mlir::PassManager &manager, mlir::ModuleOp module, Coverage &coverage);

/// The same for a textual pipeline.
bool runPipeline(mlir::ModuleOp module, llvm::StringRef pipeline, Coverage &coverage);

/// True if every real is within absolute + relative x the largest of `expected`; what is not finite agrees with
/// nothing.
bool agree(const std::vector<double> &found, const std::vector<double> &expected, double absolute, double relative,
           double *away = nullptr, double *allowed = nullptr);

} // namespace tower::differential

#endif
