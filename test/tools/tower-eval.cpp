// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tower-eval: evaluates a function of tower dataflow on a dataset with the oracle, in double. What it writes can be
// compared with test/reference: loss, loss/NAME, gradient/PARAMETER, updated/TENSOR, what was drawn.
#include "mlir/Parser/Parser.h"
#include "runtime/Error.h"
#include "test/oracle/DataInputs.h"
#include "test/oracle/Draws.h"
#include "test/oracle/Safetensors.h"
#include "llvm/Support/CommandLine.h"

#include <iostream>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

namespace cl = llvm::cl;

static cl::opt<std::string> file(cl::Positional, cl::Required, cl::desc("IR.mlir, with the declared model"));
static cl::opt<std::string> folder("data", cl::Required, cl::desc("A dataset's folder"));
static cl::opt<std::string> tensors("tensors", cl::Required, cl::desc("Parameters, slots, constants: .safetensors"));
static cl::opt<std::string> out("out", cl::desc("Where to write results, .safetensors"));
static cl::opt<std::string> name("function", cl::init("train_step"), cl::desc("Default: train_step"));
static cl::opt<int64_t> step("step", cl::init(0), cl::desc("Default: 0"));
static cl::opt<int64_t> seed("seed", cl::init(1), cl::desc("Default: 1"));
static cl::opt<double> rate("rate", cl::init(1), cl::desc("The schedule's factor at this step. Default: 1"));
static cl::opt<double> differences("differences", cl::init(0),
                                   cl::desc("Half a step of central differences in place of tower.gradient (slow)"));

static int run() {
  MLIRContext context;
  context.loadDialect<TowerDialect, func::FuncDialect>();
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(file.getValue(), &context);
  if (!module)
    return 1;
  auto function = module->lookupSymbol<func::FuncOp>(name.getValue());
  if (!function) {
    std::cerr << "tower-eval: " << file.getValue() << " has no function @" << name.getValue() << "\n";
    return 1;
  }
  rt::Dataset dataset(folder);
  Inputs inputs = dataInputs(*module, dataset);
  for (auto &[tensor, value] : readSafetensors(tensors))
    inputs["tensor/" + tensor] = value;
  for (auto tensor : module->getOps<TensorOp>()) { // slots of a file without them are at their first value
    auto type = cast<RankedTensorType>(tensor.getType());
    if (tensor.getRole() == Role::slot)
      inputs.emplace(
          "tensor/" + tensor.getSymName().str(),
          Tensor::ofReals(type.getShape().vec(),
                          std::vector<double>(type.getNumElements(), tensor.getInit().getScale().convertToFloat())));
  }
  inputs["step"] = Tensor::scalar(step.getValue());
  inputs["seed"] = Tensor::scalar(seed.getValue());
  inputs["rate"] = Tensor::scalar(rate.getValue());
  FailureOr<Environment> values = evaluateAll(function, inputs, {.differences = differences});
  if (failed(values))
    return 1;
  Results results = resultsOf(function, *values);
  std::map<std::string, Tensor> written = drawsOf(*module, function, *values);
  for (auto &[result, value] : results.named) {
    bool updated = module->lookupSymbol<TensorOp>(result) != nullptr;
    written[updated ? "updated/" + result : result] = value;
    if (!updated && value.shape.empty())
      std::cout << result << ": " << value.real() << "\n";
  }
  for (auto &[parameter, value] : results.gradients)
    written["gradient/" + parameter] = value;
  if (!out.empty())
    writeSafetensors(out, written);
  return 0;
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv, "Evaluates tower dataflow with the test oracle\n");
  try {
    return run();
  } catch (const rt::Error &error) {
    std::cerr << "tower-eval: " << error.what() << "\n";
    return 1;
  }
}
