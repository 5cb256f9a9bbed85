// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/differential/TestModel.h"
#include "dialect/Tower.h"
#include "frontend/Importer.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassRegistry.h"
#include "passes/Pipelines.h"
#include "runtime/Error.h"

#include <cmath>
#include <filesystem>
#include <google/protobuf/text_format.h>
#include <sstream>

using namespace mlir;
using namespace tower;
using namespace tower::differential;

TestModel::TestModel(uint64_t seed, const std::string &folder, Coverage &coverage, Failures &failures)
    : seed(seed), folder(folder), dice(seed), context(MLIRContext::Threading::DISABLED),
      handler(std::make_unique<ScopedDiagnosticHandler>(&context, [this](Diagnostic &diagnostic) {
        llvm::raw_string_ostream(messages) << diagnostic.getLocation() << ": " << diagnostic.str() << "\n";
        return success();
      })) {
  DialectRegistry registry;
  registerTowerDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  if (!read(failures))
    return;
  coverage.countSpec(spec->model);
  dataflow = importModel(*spec, &context);
  if (!runPipeline(*dataflow, "tower-build-step", coverage)) {
    failures.push_back("--tower-build-step failed: " + takeMessages());
    return;
  }
  OwningOpRef<ModuleOp> copy = dataflow->clone();
  if (!runPipeline(*copy, "tower-differentiate", coverage)) {
    failures.push_back("--tower-differentiate failed: " + takeMessages());
    return;
  }
  gradient = std::move(copy);
  inputs = oracle::dataInputs(*dataflow, *data);
  inputs.merge(oracle::randomTensors(*dataflow, *data, dice));
  inputs["seed"] = oracle::Tensor::scalar(dice.between(int64_t{0}, int64_t{1} << 33)); // more than 32 bits
}

TestModel::~TestModel() = default;

bool TestModel::read(Failures &failures) {
  std::filesystem::create_directories(folder);
  data::Dataset schema = oracle::generateData(dice, folder);
  spec::Model model = oracle::generateModel(dice, schema);
  std::string text;
  google::protobuf::TextFormat::PrintToString(model, &text);
  SpecDiagnostics diagnostics;
  spec = readSpecText("generated.txtpb", text, {{}, folder}, diagnostics);
  if (!spec) {
    std::ostringstream message;
    diagnostics.print(message);
    failures.push_back("the spec is refused: " + message.str());
    return false;
  }
  try {
    data = std::make_unique<rt::Dataset>(folder);
  } catch (const rt::Error &error) {
    failures.push_back(std::string("the data is refused: ") + error.what());
    return false;
  }
  return true;
}

oracle::Inputs TestModel::at(int64_t step, float rate) {
  oracle::Inputs result = inputs;
  result["step"] = oracle::Tensor::scalar(step);
  result["rate"] = oracle::Tensor::scalar(double(rate));
  return result;
}

std::string TestModel::takeMessages() { return std::exchange(messages, ""); }

namespace {

// Counts a pass each time it has succeeded.
struct PassCounter : PassInstrumentation {
  explicit PassCounter(Coverage &coverage) : coverage(coverage) {}
  void runAfterPass(Pass *pass, Operation *) override {
    if (!pass->getArgument().empty())
      coverage.countPass(pass->getArgument().str());
  }
  Coverage &coverage;
};

} // namespace

bool differential::runPasses(PassManager &manager, ModuleOp module, Coverage &coverage) {
  manager.addInstrumentation(std::make_unique<PassCounter>(coverage));
  return succeeded(manager.run(module));
}

bool differential::runPipeline(ModuleOp module, StringRef pipeline, Coverage &coverage) {
  PassManager manager(module.getContext());
  return succeeded(parsePassPipeline(pipeline, manager)) && runPasses(manager, module, coverage);
}

bool differential::agree(const std::vector<double> &found, const std::vector<double> &expected, double absolute,
                         double relative, double *away, double *allowed) {
  double largest = 0, difference = 0;
  for (double number : expected)
    largest = std::max(largest, std::abs(number));
  if (found.size() != expected.size())
    return false;
  bool good = true;
  for (size_t i = 0; i < expected.size(); ++i) {
    double distance = std::abs(found[i] - expected[i]);
    // False for NaN; what is infinite would allow anything.
    good &= std::isfinite(expected[i]) && distance <= absolute + relative * largest;
    if (!(distance <= difference))
      difference = distance;
  }
  if (away)
    *away = difference;
  if (allowed)
    *allowed = absolute + relative * largest;
  return good;
}
