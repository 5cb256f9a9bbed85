// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/oracle/Adjoint.h"
#include "mlir/IR/IRMapping.h"
#include "test/oracle/Oracle.h"

#include <cmath>
#include <sstream>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

std::vector<double> oracle::normalNumbers(RandomEngine &random, int64_t count, double deviation) {
  std::normal_distribution<double> normal(0, deviation);
  std::vector<double> result(count);
  for (double &number : result)
    number = normal(random);
  return result;
}

double oracle::centralDifference(llvm::function_ref<FailureOr<double>(double)> function, double scale, double expected,
                                 double tolerance) {
  double best = std::nan("");
  for (double step : {1e-6, 2.3e-7}) {
    double h = step * std::max(1.0, std::abs(scale));
    FailureOr<double> right = function(h), left = function(-h);
    if (failed(right) || failed(left))
      return std::nan("");
    double difference = (*right - *left) / (2 * h);
    if (std::isnan(best) || std::abs(difference - expected) < std::abs(best - expected))
      best = difference;
    if (std::abs(best - expected) <= tolerance)
      break;
  }
  return best;
}

namespace {

bool isReal(mlir::Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

// Constants of a loss: no gradient flows to them.
bool isConstant(Operation *op, unsigned operand) {
  auto softmax = dyn_cast<InBatchSoftmaxOp>(op);
  mlir::Value value = op->getOperand(operand);
  return softmax && (value == softmax.getLogQ() || value == softmax.getWeights());
}

// A function of the op's operands and its results' gradients that computes the op and its adjoint.
struct Alone {
  OwningOpRef<ModuleOp> module;
  func::FuncOp function;
  Operation *op;
  SmallVector<mlir::Value> gradients; ///< For each operand, null where it has none.

  explicit Alone(Differentiable original) {
    MLIRContext *context = original->getContext();
    context->loadDialect<func::FuncDialect>();
    OpBuilder builder(context);
    Location loc = original->getLoc();
    module = ModuleOp::create(loc);
    SmallVector<Type> types(original->getOperandTypes());
    llvm::append_range(types, original->getResultTypes());
    builder.setInsertionPointToStart(module->getBody());
    function = func::FuncOp::create(builder, loc, "alone", builder.getFunctionType(types, {}));
    builder.setInsertionPointToStart(function.addEntryBlock());
    IRMapping mapping;
    for (auto [i, operand] : llvm::enumerate(original->getOperands()))
      mapping.map(operand, function.getArgument(i));
    op = builder.clone(*original.getOperation(), mapping);
    for (unsigned i = 0; i < op->getNumOperands(); ++i) // an operand given twice is two arguments
      op->setOperand(i, function.getArgument(i));
    SmallVector<mlir::Value> incoming;
    for (auto [i, result] : llvm::enumerate(op->getResults()))
      incoming.push_back(isOutput(i) ? function.getArgument(op->getNumOperands() + i) : mlir::Value());
    if (isa<ProjectOp>(op))
      incoming[0] = rowGradient(builder, incoming[0]);
    gradients = cast<Differentiable>(op).adjoint(builder, incoming, [](mlir::Value value) { return isReal(value); });
  }

  /// The gradient of a table: each row contributes once.
  static mlir::Value rowGradient(OpBuilder &builder, mlir::Value gradient) {
    auto type = cast<RankedTensorType>(gradient.getType());
    int64_t rows = type.getDimSize(0);
    Location loc = gradient.getLoc();
    mlir::Value ids = PositionsOp::create(builder, loc, RankedTensorType::get({rows}, builder.getI32Type()));
    return RowGradientOp::create(builder, loc, RowGradientType::get(builder.getContext(), rows, type.getDimSize(1)),
                                 gradient, ids, ids, /*mask=*/mlir::Value(), /*feature=*/IntegerAttr());
  }

  // lse is kept for the adjoint alone; nothing else reads it.
  bool isOutput(unsigned result) const { return !isa<InBatchSoftmaxOp>(op) || result == 0; }
};

} // namespace

std::string oracle::checkAdjoint(Differentiable op, ArrayRef<Tensor> operands, RandomEngine &random, int elements) {
  Alone alone(op);
  Inputs inputs;
  int64_t boundedRows = 0;
  for (auto [i, tensor] : llvm::enumerate(operands)) {
    inputs[std::to_string(i)] = tensor;
    if (boundOf(op->getOperand(i).getType()))
      boundedRows = tensor.extent(0);
  }
  for (auto [i, result] : llvm::enumerate(alone.op->getResults())) {
    auto type = cast<RankedTensorType>(result.getType());
    Tensor gradient;
    gradient.shape = type.getShape().vec();
    if (boundOf(type))
      gradient.shape[0] = boundedRows;
    gradient.reals = normalNumbers(random, gradient.count());
    inputs[std::to_string(operands.size() + i)] = gradient;
  }
  auto total = [&](const Inputs &at) -> FailureOr<double> {
    double sum = 0;
    for (auto [i, result] : llvm::enumerate(alone.op->getResults())) {
      if (!alone.isOutput(i))
        continue;
      FailureOr<Tensor> value = evaluateValue(alone.function, result, at);
      if (failed(value))
        return failure();
      for (int64_t j = 0; j < value->count(); ++j)
        sum += value->reals[j] * at.at(std::to_string(operands.size() + i)).reals[j];
    }
    return sum;
  };
  std::ostringstream message;
  for (unsigned i = 0; i < operands.size(); ++i) {
    if (!isReal(alone.op->getOperand(i)) || isConstant(alone.op, i))
      continue;
    if (!alone.gradients[i])
      return op->getName().getStringRef().str() + ": no gradient of operand " + std::to_string(i);
    FailureOr<Tensor> gradient = evaluateValue(alone.function, alone.gradients[i], inputs);
    if (failed(gradient))
      return op->getName().getStringRef().str() + ": the gradient cannot be evaluated";
    Tensor found = isa<RowGradientType>(alone.gradients[i].getType()) ? dense(*gradient) : *gradient;
    double largest = 0;
    for (double number : found.reals)
      largest = std::max(largest, std::abs(number));
    for (int e = 0; e < std::min<int64_t>(elements, found.count()); ++e) {
      int64_t element = found.count() <= elements ? e : random() % found.count();
      Inputs moved = inputs;
      double &number = moved[std::to_string(i)].reals[element], point = number;
      double tolerance = 1e-6 + 1e-5 * largest;
      double difference = centralDifference(
          [&](double h) {
            number = point + h;
            return total(moved);
          },
          point, found.reals[element], tolerance);
      if (!(std::abs(difference - found.reals[element]) <= tolerance)) {
        message << op->getName().getStringRef().str() << ": gradient of operand " << i << ", element " << element
                << " is " << found.reals[element] << ", by differences " << difference;
        return message.str();
      }
    }
  }
  return "";
}
