// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a step does to the parameters: gradients, clipping, optimizers.

#include "passes/BuildStep.h"

using namespace mlir;
using namespace tower;

namespace {

/// A parameter's gradient: a tensor, or the distinct rows of a table.
struct Gradient {
  Value dense;
  SumRowsOp rows;
};

class Updates {
public:
  Updates(FunctionBuilder &function, ModelOp model)
      : function(function), builder(function.builder), training(model.training()),
        module(model->getParentOfType<ModuleOp>()), factor(function.argument("rate", {}, builder.getF32Type())) {}

  Value clipScale(MutableArrayRef<Gradient> gradients);
  void update(const std::string &name, Gradient &gradient, Value scale);

private:
  FunctionBuilder &function;
  OpBuilder &builder;
  TrainingOp training;
  ModuleOp module;
  Value factor;

  void updateDense(Location loc, const std::string &name, Value gradient, Value scale);
  void updateRows(Location loc, const std::string &name, SumRowsOp gradient, Value scale);
  void keep(const std::string &name, Value value) { function.addUpdate(function.tensorArgument(name), value); }
};

} // namespace

// The norm is that of all gradients together, those of tables with equal rows summed.
Value Updates::clipScale(MutableArrayRef<Gradient> gradients) {
  FloatAttr norm = training.getClipNormAttr();
  if (!norm)
    return {};
  SmallVector<Value> norms;
  for (Gradient &gradient : gradients) {
    Value values = gradient.dense ? gradient.dense : gradient.rows.getValues();
    Value count = gradient.dense ? Value() : gradient.rows.getCount();
    norms.push_back(SquaredNormOp::create(builder, training.getLoc(), function.f32({}), values, count));
  }
  return ClipScaleOp::create(builder, training.getLoc(), function.f32({}), norms, norm);
}

void Updates::updateDense(Location loc, const std::string &name, Value gradient, Value scale) {
  Value parameter = function.tensor(name);
  Type type = parameter.getType();
  DictionaryAttr options = training.getDenseOptions();
  auto option = [&](StringRef key) { return options.getAs<FloatAttr>(key); };
  switch (training.getDense()) {
  case OptimizerKind::sgd:
    return keep(name, SgdOp::create(builder, loc, type, parameter, gradient, factor, scale, option("rate"),
                                    option("weight_decay")));
  case OptimizerKind::adam: {
    Value m = function.tensor(name + "/adam/m"), v = function.tensor(name + "/adam/v");
    auto op =
        AdamOp::create(builder, loc, type, type, type, parameter, m, v, gradient, function.step(), factor, scale,
                       option("rate"), option("beta1"), option("beta2"), option("epsilon"), option("weight_decay"));
    keep(name, op.getNewParameter());
    keep(name + "/adam/m", op.getNewFirst());
    return keep(name + "/adam/v", op.getNewSecond());
  }
  default: {
    auto op = AdagradOp::create(builder, loc, type, type, parameter, function.tensor(name + "/adagrad"), gradient,
                                factor, scale, option("rate"), option("epsilon"), option("weight_decay"));
    keep(name, op.getNewParameter());
    return keep(name + "/adagrad", op.getNewAccumulator());
  }
  }
}

void Updates::updateRows(Location loc, const std::string &name, SumRowsOp gradient, Value scale) {
  Value parameter = function.tensor(name);
  Value rows = gradient.getRows(), values = gradient.getValues(), count = gradient.getCount();
  Type type = parameter.getType();
  DictionaryAttr options = training.getTableOptions();
  auto option = [&](StringRef key) { return options.getAs<FloatAttr>(key); };
  switch (training.getTables()) {
  case OptimizerKind::sgd:
    return keep(name, SgdRowsOp::create(builder, loc, type, parameter, rows, values, count, /*gradient=*/Value(),
                                        factor, scale, option("rate")));
  case OptimizerKind::adagrad: {
    auto op =
        AdagradRowsOp::create(builder, loc, type, type, parameter, function.tensor(name + "/adagrad"), rows, values,
                              count, /*gradient=*/Value(), factor, scale, option("rate"), option("epsilon"));
    keep(name, op.getNewParameter());
    return keep(name + "/adagrad", op.getNewAccumulator());
  }
  case OptimizerKind::rowwise_adagrad: {
    Value accumulator = function.tensor(name + "/rowwise_adagrad");
    auto op =
        RowwiseAdagradRowsOp::create(builder, loc, type, accumulator.getType(), parameter, accumulator, rows, values,
                                     count, /*gradient=*/Value(), factor, scale, option("rate"), option("epsilon"));
    keep(name, op.getNewParameter());
    return keep(name + "/rowwise_adagrad", op.getNewAccumulator());
  }
  case OptimizerKind::adam: {
    Value m = function.tensor(name + "/adam/m"), v = function.tensor(name + "/adam/v");
    auto op = AdamRowsOp::create(builder, loc, type, type, type, parameter, m, v, rows, values, count,
                                 /*gradient=*/Value(), function.step(), factor, scale, option("rate"), option("beta1"),
                                 option("beta2"), option("epsilon"));
    keep(name, op.getNewParameter());
    keep(name + "/adam/m", op.getNewFirst());
    return keep(name + "/adam/v", op.getNewSecond());
  }
  }
}

void Updates::update(const std::string &name, Gradient &gradient, Value scale) {
  Location loc = module.lookupSymbol<TensorOp>(name).getLoc();
  if (gradient.dense)
    return updateDense(loc, name, gradient.dense, scale);
  updateRows(loc, name, gradient.rows, scale);
}

void tower::buildUpdates(FunctionBuilder &function, ModelOp model, Value loss, ArrayRef<std::string> names,
                         const LookupCounts &lookups) {
  OpBuilder &builder = function.builder;
  SmallVector<Value> parameters;
  SmallVector<Type> types;
  for (const std::string &name : names) {
    Value parameter = function.tensor(name);
    auto type = cast<RankedTensorType>(parameter.getType());
    parameters.push_back(parameter);
    types.push_back(lookups.contains(parameter)
                        ? Type(RowGradientType::get(builder.getContext(), type.getDimSize(0), type.getDimSize(1)))
                        : Type(type));
  }
  auto all = GradientOp::create(builder, loss.getLoc(), types, loss, parameters);
  SmallVector<Gradient> gradients;
  for (auto [parameter, value] : llvm::zip(parameters, all.getGradients())) {
    auto type = dyn_cast<RowGradientType>(value.getType());
    if (!type) {
      gradients.push_back({value, {}});
      continue;
    }
    int64_t bound = std::min(type.getRows(), lookups.lookup(parameter));
    gradients.push_back(
        {{},
         SumRowsOp::create(builder, loss.getLoc(), function.i32(bound), function.f32({bound, type.getDim()}),
                           function.type({}, builder.getI64Type()), value)});
  }
  Updates updates(function, model);
  Value scale = updates.clipScale(gradients);
  for (auto [name, gradient] : llvm::zip(names, gradients))
    updates.update(name, gradient, scale);
}
