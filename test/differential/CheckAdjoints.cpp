// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/differential/Checks.h"
#include "test/oracle/Adjoint.h"

#include <cmath>
#include <sstream>

using namespace mlir;
using namespace tower;
using namespace tower::differential;
using namespace tower::oracle;

// The value that the function returns as "loss".
static mlir::Value lossOf(func::FuncOp function) {
  for (auto [i, value] : llvm::enumerate(function.getBody().front().getTerminator()->getOperands()))
    if (auto name = function.getResultAttrOfType<StringAttr>(i, "tower.result"); name && name.getValue() == "loss")
      return value;
  return {};
}

// Two elements, if there are so many: any, and one where the gradient is not 0.
static std::vector<int64_t> someElements(const Tensor &gradient, Dice &dice) {
  std::vector<int64_t> active, result = {dice.between(int64_t{0}, gradient.count() - 1)};
  for (int64_t i = 0; i < gradient.count(); ++i)
    if (gradient.reals[i] != 0)
      active.push_back(i);
  if (!active.empty())
    result.push_back(dice.of(active));
  return result;
}

static void checkWhole(TestModel &model, func::FuncOp function, Inputs &inputs, const Results &results,
                       Failures &failures) {
  mlir::Value loss = lossOf(function);
  for (const auto &[name, gradient] : results.gradients) {
    double largest = 0;
    for (double number : gradient.reals)
      largest = std::max(largest, std::abs(number));
    for (int64_t element : someElements(gradient, model.dice)) {
      double &number = inputs["tensor/" + name].reals[element], point = number, expected = gradient.reals[element];
      // The last term is what rounding of the loss itself does to a difference.
      double tolerance = 2e-6 + 2e-5 * largest + 1e-8 * std::abs(results.named.at("loss").real());
      double difference = centralDifference(
          [&](double h) -> FailureOr<double> {
            number = point + h;
            FailureOr<Tensor> value = evaluateValue(function, loss, inputs);
            if (failed(value))
              return failure();
            return value->real();
          },
          point, expected, tolerance);
      number = point;
      if (!(std::abs(difference - expected) <= tolerance)) {
        std::ostringstream message;
        message << "gradient of " << name << ", element " << element << ": " << expected << ", by differences "
                << difference;
        failures.push_back(message.str());
      }
    }
  }
}

// One op of each kind, with the data's integers and random reals: away from the points where an activation has a kink.
static void checkAlone(TestModel &model, func::FuncOp function, const Environment &values, Coverage &coverage,
                       Failures &failures) {
  std::map<std::string, std::vector<Differentiable>> kinds;
  function.walk([&](Differentiable op) {
    if (llvm::all_of(op->getOperands(), [&](mlir::Value value) { return values.has(value); }))
      kinds[op->getName().getStringRef().str()].push_back(op);
  });
  RandomEngine random(model.seed);
  for (auto &[kind, ops] : kinds) {
    Differentiable op = model.dice.of(ops);
    SmallVector<Tensor> operands;
    auto softmax = dyn_cast<InBatchSoftmaxOp>(op.getOperation());
    for (mlir::Value operand : op->getOperands()) {
      Tensor tensor = values[operand];
      bool constant = softmax && (operand == softmax.getLogQ() || operand == softmax.getWeights());
      if (!constant && !tensor.reals.empty())
        tensor.reals = normalNumbers(random, tensor.count());
      operands.push_back(tensor);
    }
    if (std::string message = checkAdjoint(op, operands, random, 3); !message.empty())
      failures.push_back("alone, " + message);
    coverage.countAdjoint(kind);
  }
}

void differential::checkAdjoints(TestModel &model, Coverage &coverage, Failures &failures) {
  func::FuncOp function = model.trainStep(*model.gradient);
  Inputs inputs = model.at(model.dice.between(int64_t{0}, int64_t{15}), float(model.dice.between(0.1, 1.0)));
  FailureOr<Environment> values = evaluateAll(function, inputs);
  if (failed(values))
    return failures.push_back("the differentiated step cannot be evaluated: " + model.takeMessages());
  countCases(model, *values, coverage);
  coverage.countOps(*model.dataflow);
  coverage.countOps(*model.gradient);
  checkWhole(model, function, inputs, resultsOf(function, *values), failures);
  checkAlone(model, function, *values, coverage, failures);
  // The same on distinct rows, with small vocabularies projected.
  OwningOpRef<ModuleOp> copy = model.dataflow->clone();
  if (!runPipeline(
          *copy,
          "tower-distinct-rows{always},cse,tower-batch-towers,tower-project-vocabularies{always},tower-differentiate",
          coverage))
    return failures.push_back("no step on distinct rows: " + model.takeMessages());
  FailureOr<Environment> distinct = evaluateAll(model.trainStep(*copy), inputs);
  if (failed(distinct))
    return failures.push_back("the step on distinct rows cannot be evaluated: " + model.takeMessages());
  coverage.countOps(*copy);
  checkAlone(model, model.trainStep(*copy), *distinct, coverage, failures);
  if (std::string messages = model.takeMessages(); !messages.empty())
    failures.push_back(messages);
}
