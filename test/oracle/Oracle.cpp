// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks a function and hands each op to its formula.

#include "test/oracle/Oracle.h"
#include "test/oracle/Environment.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <optional>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

Tensor &Environment::create(mlir::Value value, int64_t rows) {
  Tensor &tensor = values[value.getAsOpaquePointer()];
  tensor = {};
  if (auto type = dyn_cast<RowGradientType>(value.getType())) {
    tensor.shape = {type.getRows(), type.getDim()};
    return tensor;
  }
  auto type = cast<RankedTensorType>(value.getType());
  tensor.shape = type.getShape().vec();
  if (boundOf(type))
    tensor.shape[0] = rows;
  if (isa<FloatType>(type.getElementType()))
    tensor.reals.resize(tensor.count());
  else
    tensor.integers.resize(tensor.count());
  return tensor;
}

LogicalResult oracle::checkIndex(Operation *op, const char *what, int64_t index, int64_t extent) {
  if (0 <= index && index < extent)
    return success();
  return op->emitOpError() << what << " " << index << " is not in [0, " << extent << ")";
}

double oracle::roundedToBf16(double x) {
  int exponent;
  double fraction = std::frexp(static_cast<double>(static_cast<float>(x)), &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}

bool oracle::isMasked(const Environment &env, mlir::Value mask, std::optional<uint64_t> feature) {
  return mask && env[mask].integers[*feature];
}

Tensor oracle::dense(const Tensor &gradient) {
  Tensor result;
  result.shape = gradient.shape;
  result.reals.resize(result.count());
  for (const Contribution &contribution : gradient.contributions)
    for (size_t j = 0; j < contribution.values.size(); ++j)
      result.at(contribution.row, j) += contribution.values[j];
  return result;
}

std::string oracle::argumentKey(func::FuncOp function, unsigned argument) {
  auto described = function.getArgAttrOfType<DictionaryAttr>(argument, "tower.argument");
  if (!described)
    return std::to_string(argument);
  auto text = [&](StringRef name) {
    auto attribute = described.getAs<StringAttr>(name);
    return attribute ? attribute.str() : std::string();
  };
  std::string kind = text("kind");
  if (kind == "tensor")
    return kind + "/" + text("name");
  if (kind == "column")
    return kind + "/" + text("entity") + "/" + text("column") + "/" + text("part");
  if (kind == "pairs")
    return kind + "/" + text("part");
  if (kind == "mi_order")
    return kind + "/" + text("loss");
  if (kind == "items")
    return kind + "/" + text("entity");
  return kind;
}

namespace {

class Evaluator {
public:
  Evaluator(func::FuncOp function, const Options &options) : function(function), options(options) {
    env.bf16 = options.bf16;
  }

  LogicalResult setArguments(const Inputs &inputs, const std::map<const void *, Tensor> &replaced);
  /// Evaluates the ops that `wanted` needs.
  LogicalResult run(ArrayRef<mlir::Value> wanted);
  Environment &values() { return env; }

private:
  LogicalResult evaluateOne(Operation *op);
  LogicalResult differentiate(GradientOp op);

  func::FuncOp function;
  Options options;
  Environment env;
};

LogicalResult Evaluator::setArguments(const Inputs &inputs, const std::map<const void *, Tensor> &replaced) {
  if (auto k = inputs.find("k"); k != inputs.end())
    env.k = k->second.integer();
  for (BlockArgument argument : function.getArguments()) {
    std::string key = argumentKey(function, argument.getArgNumber());
    auto input = inputs.find(key);
    if (replaced.count(argument.getAsOpaquePointer()))
      continue;
    if (input == inputs.end())
      return function.emitOpError() << "input " << key << " is missing";
    auto type = cast<RankedTensorType>(argument.getType());
    const Tensor &tensor = input->second;
    bool fits = type.getRank() == int64_t(tensor.shape.size());
    for (int64_t d = 0; fits && d < type.getRank(); ++d)
      fits = type.isDynamicDim(d) || type.getDimSize(d) == tensor.shape[d];
    int64_t elements = isa<FloatType>(type.getElementType()) ? tensor.reals.size() : tensor.integers.size();
    if (!fits || elements != tensor.count())
      return function.emitOpError() << "input " << key << " does not fit " << type;
    env.set(argument, tensor);
  }
  return success();
}

LogicalResult Evaluator::run(ArrayRef<mlir::Value> wanted) {
  llvm::DenseSet<Operation *> needed;
  SmallVector<mlir::Value> open(wanted);
  while (!open.empty())
    if (mlir::Value value = open.pop_back_val(); !env.has(value))
      if (Operation *op = value.getDefiningOp(); op && needed.insert(op).second)
        llvm::append_range(open, op->getOperands());
  for (Operation &op : function.getBody().front())
    if (needed.contains(&op) && failed(evaluateOne(&op)))
      return failure();
  return success();
}

LogicalResult Evaluator::evaluateOne(Operation *op) {
  for (mlir::Value operand : op->getOperands())
    if (boundOf(operand.getType()))
      env.boundedRows = env[operand].extent(0);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
#define TOWER_ORACLE_OP(OP) .Case([&](OP o) { return evaluateOp(o, env); })
#include "test/oracle/Ops.def"
#undef TOWER_ORACLE_OP
      .Case([&](GradientOp o) { return differentiate(o); })
      .Default([](Operation *o) { return o->emitOpError("is unknown to the oracle"); });
}

// Central differences of the loss, element by element, with the ops between parameter and loss evaluated again.
LogicalResult Evaluator::differentiate(GradientOp op) {
  if (options.differences == 0)
    return op.emitOpError("has no value before --tower-differentiate; central differences were not asked for");
  for (auto [parameter, gradient] : llvm::zip(op.getParameters(), op.getGradients())) {
    Tensor point = env[parameter], result = point;
    for (int64_t i = 0; i < point.count(); ++i) {
      double losses[2];
      for (int side : {0, 1}) {
        Evaluator moved(function, options);
        for (BlockArgument argument : function.getArguments())
          moved.env.set(argument, env[argument]);
        Tensor shifted = point;
        shifted.reals[i] += side ? options.differences : -options.differences;
        moved.env.set(parameter, shifted);
        if (failed(moved.run(op.getLoss())))
          return failure();
        losses[side] = moved.env[op.getLoss()].real();
      }
      result.reals[i] = (losses[1] - losses[0]) / (2 * options.differences);
    }
    if (isa<RowGradientType>(gradient.getType())) {
      Tensor rows;
      rows.shape = result.shape;
      for (int64_t row = 0; row < result.extent(0); ++row)
        rows.contributions.push_back({row, std::vector<double>(result.reals.begin() + row * result.extent(1),
                                                               result.reals.begin() + (row + 1) * result.extent(1))});
      result = rows;
    }
    env.set(gradient, result);
  }
  return success();
}

std::string tensorName(func::FuncOp function, mlir::Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  std::string text = argument ? argumentKey(function, argument.getArgNumber()) : "";
  StringRef key = text;
  return key.consume_front("tensor/") ? key.str() : "";
}

// The gradient that an update op consumes, by the updated parameter's name.
void collectGradient(func::FuncOp function, Operation &op, const Environment &values, Results &results) {
  auto store = [&](mlir::Value parameter, Tensor gradient) {
    if (std::string name = tensorName(function, parameter); !name.empty())
      results.gradients[name] = std::move(gradient);
  };
  llvm::TypeSwitch<Operation *>(&op)
      .Case<SgdOp, AdagradOp, AdamOp>([&](auto update) { store(update.getParameter(), values[update.getGradient()]); })
      .Case<SgdRowsOp, AdagradRowsOp, RowwiseAdagradRowsOp, AdamRowsOp>([&](auto update) {
        if (update.getGradient())
          return store(update.getParameter(), dense(values[update.getGradient()]));
        const Tensor &rows = values[update.getRows()], &sums = values[update.getValues()];
        Tensor list;
        list.shape = values[update.getParameter()].shape;
        for (int64_t i = 0; i < values[update.getCount()].integer(); ++i)
          list.contributions.push_back(
              {rows.integers[i], std::vector<double>(sums.reals.begin() + i * sums.extent(1),
                                                     sums.reals.begin() + (i + 1) * sums.extent(1))});
        store(update.getParameter(), dense(list));
      });
}

} // namespace

FailureOr<Environment> oracle::evaluateAll(func::FuncOp function, const Inputs &inputs, const Options &options) {
  if (!function.getBody().hasOneBlock())
    return function.emitOpError("needs one block to be evaluated");
  Evaluator evaluator(function, options);
  SmallVector<mlir::Value> wanted(function.getBody().front().getTerminator()->getOperands());
  if (failed(evaluator.setArguments(inputs, {})) || failed(evaluator.run(wanted)))
    return failure();
  return std::move(evaluator.values());
}

FailureOr<Results> oracle::evaluate(func::FuncOp function, const Inputs &inputs, const Options &options) {
  FailureOr<Environment> values = evaluateAll(function, inputs, options);
  if (failed(values))
    return failure();
  return resultsOf(function, *values);
}

Results oracle::resultsOf(func::FuncOp function, const Environment &values) {
  Results results;
  for (auto [i, value] : llvm::enumerate(function.getBody().front().getTerminator()->getOperands())) {
    results.values.push_back(values[value]);
    if (auto name = function.getResultAttrOfType<StringAttr>(i, "tower.result"))
      results.named[name.str()] = values[value];
    if (auto updated = function.getResultAttrOfType<IntegerAttr>(i, "tower.updates"))
      results.named[tensorName(function, function.getArgument(updated.getInt()))] = values[value];
  }
  for (Operation &op : function.getBody().front())
    if (llvm::all_of(op.getResults(), [&](mlir::Value value) { return values.has(value); }))
      collectGradient(function, op, values, results);
  return results;
}

FailureOr<Tensor> oracle::evaluateValue(func::FuncOp function, mlir::Value value, const Inputs &inputs,
                                        const std::map<const void *, Tensor> &replaced, const Options &options) {
  Evaluator evaluator(function, options);
  if (failed(evaluator.setArguments(inputs, replaced)))
    return failure();
  for (const auto &[pointer, tensor] : replaced)
    evaluator.values().set(mlir::Value::getFromOpaquePointer(pointer), tensor);
  if (failed(evaluator.run(value)))
    return failure();
  return evaluator.values()[value];
}
