// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One application of an encoder: features of given rows, then layers.

#include "passes/BuildStep.h"

using namespace mlir;
using namespace tower;

namespace {

class Application {
public:
  Application(FunctionBuilder &function, EncoderOp encoder, Value rows, const View &view, LookupCounts &lookups)
      : function(function), builder(function.builder), encoder(encoder), model(encoder->getParentOfType<ModelOp>()),
        entity(model.entity(encoder.getEntityAttr())), rows(rows), view(view), lookups(lookups),
        batch(cast<RankedTensorType>(rows.getType()).getDimSize(0)) {}

  Value run();

private:
  FunctionBuilder &function;
  OpBuilder &builder;
  EncoderOp encoder;
  ModelOp model;
  EntityOp entity;
  Value rows;
  const View &view;
  LookupCounts &lookups;
  int64_t batch;

  std::string stem() { return "tower/" + encoder.getSymName().str(); }
  Value feature(Operation *op, IntegerAttr index);
  Value single(SingleFeatureOp op, IntegerAttr index);
  Value multi(MultiFeatureOp op, IntegerAttr index);
  Value dense(DenseFeatureOp op);
  Value firstLayer(LayerOp layer);
};

} // namespace

Value Application::single(SingleFeatureOp op, IntegerAttr index) {
  Value table = function.tensor("table/" + op.getTable().str());
  Value ids = function.column(entity.getSymName(), op.getColumn(), "ids");
  lookups[table] += batch;
  int64_t dim = cast<RankedTensorType>(table.getType()).getDimSize(1);
  return LookupOp::create(builder, op.getLoc(), function.f32({batch, dim}), table, ids, rows, view.mask,
                          /*onto=*/Value(), index);
}

Value Application::multi(MultiFeatureOp op, IntegerAttr index) {
  Value table = function.tensor("table/" + op.getTable().str());
  Value offsets = function.column(entity.getSymName(), op.getColumn(), "offsets");
  Value values = function.column(entity.getSymName(), op.getColumn(), "values");
  lookups[table] += batch * static_cast<int64_t>(op.getLongest());
  int64_t dim = cast<RankedTensorType>(table.getType()).getDimSize(1);
  Value step, seed;
  FloatAttr dropout;
  StringAttr stream;
  if (view.dropout > 0) {
    step = function.step();
    seed = function.seed();
    dropout = builder.getF32FloatAttr(view.dropout);
    stream = builder.getStringAttr(view.stream + "/" + op.getSymName());
  }
  return PooledLookupOp::create(builder, op.getLoc(), function.f32({batch, dim}), table, offsets, values, rows,
                                view.mask, step, seed, op.getPoolingAttr(), op.getLongestAttr(), index, dropout, stream,
                                /*onto=*/Value());
}

Value Application::dense(DenseFeatureOp op) {
  int64_t width = op.getWidth();
  Value numbers = function.column(entity.getSymName(), op.getColumn(), "numbers", width);
  Value mean, deviation;
  if (op.getScaling() != Scaling::none) {
    std::string stem = ("entity/" + entity.getSymName() + "/" + op.getSymName()).str();
    mean = function.tensor(stem + "/mean");
    deviation = function.tensor(stem + "/deviation");
  }
  return DenseOp::create(builder, op.getLoc(), function.f32({batch, width}), numbers, rows, mean, deviation,
                         op.getScalingAttr());
}

Value Application::feature(Operation *op, IntegerAttr index) {
  if (auto feature = dyn_cast<SingleFeatureOp>(op))
    return single(feature, index);
  if (auto feature = dyn_cast<MultiFeatureOp>(op))
    return multi(feature, index);
  return dense(cast<DenseFeatureOp>(op));
}

Value Application::firstLayer(LayerOp layer) {
  SmallVector<Value> segments, defaults;
  for (auto [i, name] : llvm::enumerate(encoder.getFeatures().getAsRange<FlatSymbolRefAttr>())) {
    IntegerAttr index = view.mask ? builder.getI64IntegerAttr(i) : IntegerAttr();
    segments.push_back(feature(entity.lookupSymbol(name), index));
    if (view.mask)
      defaults.push_back(function.tensor(stem() + "/default/" + name.getValue().str()));
  }
  Value weight = function.tensor(stem() + "/layer0/weight");
  Value bias = layer.getBias() ? function.tensor(stem() + "/layer0/bias") : Value();
  int64_t units = layer.getUnits();
  return SegmentLinearOp::create(builder, layer.getLoc(), function.f32({batch, units}), segments, view.mask, defaults,
                                 weight, bias, /*onto=*/Value());
}

Value Application::run() {
  Value value;
  for (auto [i, layer] : llvm::enumerate(encoder.getBody().getOps<LayerOp>())) {
    if (i == 0) {
      value = firstLayer(layer);
    } else {
      std::string name = stem() + "/layer" + std::to_string(i);
      Value bias = layer.getBias() ? function.tensor(name + "/bias") : Value();
      int64_t units = layer.getUnits();
      value = LinearOp::create(builder, layer.getLoc(), function.f32({batch, units}), value,
                               function.tensor(name + "/weight"), bias);
    }
    if (layer.getActivation() != Activation::identity)
      value = ActivateOp::create(builder, layer.getLoc(), value.getType(), layer.getActivation(), value);
  }
  if (encoder.getOutput() == Output::normalized)
    value = NormalizeOp::create(builder, encoder.getLoc(), value.getType(), value);
  return value;
}

Value tower::applyEncoder(FunctionBuilder &function, EncoderOp encoder, Value rows, const View &view,
                          LookupCounts &lookups) {
  return Application(function, encoder, rows, view, lookups).run();
}
