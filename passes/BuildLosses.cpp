// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The losses of a step, from sampled rows to scalars.

#include "passes/BuildStep.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tower;

namespace {

class Losses {
public:
  Losses(FunctionBuilder &function, ModelOp model, LookupCounts &lookups)
      : function(function), builder(function.builder), model(model), lookups(lookups), training(model.training()) {}

  Value run();

private:
  FunctionBuilder &function;
  OpBuilder &builder;
  ModelOp model;
  LookupCounts &lookups;
  TrainingOp training;

  EncoderOp encoder(FlatSymbolRefAttr name) { return model.encoder(name); }
  Value fromPairs(StringRef part);
  template <typename Loss> Value items(Loss loss);
  template <typename Loss> Value mask(Loss loss, EncoderOp encoder, const std::string &stream);
  Value softmax(Operation *loss, Value query, Value item, Value ids, Value logQ, Value weights, Value queryIds,
                FloatAttr temperature);
  Value build(InBatchSoftmaxLossOp loss);
  Value build(ContrastiveLossOp loss);
  Value build(SpreadOutLossOp loss);
};

} // namespace

// The batch's query rows, item rows or weights. Equal requests become one by CSE.
Value Losses::fromPairs(StringRef part) {
  int64_t batch = training.getBatch();
  Location loc = training.getLoc();
  Value positions = SamplePairsOp::create(builder, loc, function.i32(batch), function.step(), function.seed(),
                                          function.pairs("query"), "pairs");
  Value column = function.pairs(part);
  Type element = cast<RankedTensorType>(column.getType()).getElementType();
  return TakeOp::create(builder, loc, function.type(batch, element), column, positions);
}

// The rows of a self-supervised loss: the batch's items, or uniform ones (paper, section 4.3).
template <typename Loss> Value Losses::items(Loss loss) {
  if (loss.getItems() == Items::batch)
    return fromPairs("item");
  StringRef entity = encoder(loss.getEncoderAttr()).getEntity();
  Value count = function.argument("items", {}, builder.getI64Type(), {{"entity", entity}});
  int64_t batch = loss.getBatch();
  return SampleUniformOp::create(builder, loss.getLoc(), function.i32(batch), function.step(), function.seed(), count,
                                 builder.getStringAttr(loss.getSymName() + "/items"));
}

// A mask over the encoder's features, or null where the loss has none.
template <typename Loss> Value Losses::mask(Loss loss, EncoderOp encoder, const std::string &stream) {
  if (loss.getMask() == Mask::none)
    return {};
  int64_t features = encoder.getFeatures().size();
  Value order;
  if (loss.getMask() == Mask::correlated)
    order =
        function.argument("mi_order", {features, features - 1}, builder.getI32Type(), {{"loss", loss.getSymName()}});
  return FeatureMaskOp::create(builder, loss.getLoc(), function.type(features, builder.getI1Type()), function.step(),
                               function.seed(), order, loss.getMaskedFeaturesAttr(), builder.getStringAttr(stream));
}

Value Losses::softmax(Operation *loss, Value query, Value item, Value ids, Value logQ, Value weights, Value queryIds,
                      FloatAttr temperature) {
  int64_t rows = cast<RankedTensorType>(query.getType()).getDimSize(0);
  return InBatchSoftmaxOp::create(builder, loss->getLoc(), function.f32({}), function.f32(rows), query, item, ids, logQ,
                                  weights, queryIds, /*positives=*/Value(), /*counts=*/Value(), /*query_rows=*/Value(),
                                  temperature)
      .getLoss();
}

Value Losses::build(InBatchSoftmaxLossOp loss) {
  std::string name = loss.getSymName().str();
  Value queries = fromPairs("query"), items = fromPairs("item");
  EncoderOp itemEncoder = encoder(loss.getItemAttr());
  View view{mask(loss, itemEncoder, name + "/mask"), loss.getValueDropout().convertToFloat(), name + "/item"};
  Value query = applyEncoder(function, encoder(loss.getQueryAttr()), queries, View(), lookups);
  Value item = applyEncoder(function, itemEncoder, items, view, lookups);
  Value logQ, weights;
  if (loss.getLogQ()) {
    Value all = function.argument("log_probability", {ShapedType::kDynamic}, builder.getF32Type());
    int64_t batch = training.getBatch();
    logQ = TakeOp::create(builder, loss.getLoc(), function.f32(batch), all, items);
  }
  if (loss.getPairWeights())
    weights = fromPairs("weight");
  return softmax(loss, query, item, loss.getRemoveAccidentalHits() ? items : Value(), logQ, weights,
                 loss.getRemoveSameQueryPositives() ? queries : Value(), loss.getTemperatureAttr());
}

Value Losses::build(ContrastiveLossOp loss) {
  std::string name = loss.getSymName().str();
  EncoderOp tower = encoder(loss.getEncoderAttr());
  Value rows = items(loss);
  View first{{}, loss.getValueDropout().convertToFloat(), name + "/1"}, second = first;
  second.stream = name + "/2";
  if (loss.getMask() != Mask::none) {
    bool independent = loss.getViews() == Views::independent;
    first.mask = mask(loss, tower, name + (independent ? "/1/mask" : "/mask"));
    if (independent)
      second.mask = mask(loss, tower, name + "/2/mask");
    else if (loss.getViews() == Views::same)
      second.mask = first.mask;
    else
      second.mask = ComplementOp::create(builder, loss.getLoc(), first.mask.getType(), first.mask);
  }
  Value query = applyEncoder(function, tower, rows, first, lookups);
  Value item = applyEncoder(function, tower, rows, second, lookups);
  Value ids = loss.getRemoveAccidentalHits() ? rows : Value();
  if (loss.getNegatives() == Negatives::all) {
    // View 1 joins the columns. A row is never its own negative: ids, the rows' or merely distinct ones, see to that.
    int64_t batch = loss.getBatch(), width = cast<RankedTensorType>(item.getType()).getDimSize(1);
    if (!ids)
      ids = PositionsOp::create(builder, loss.getLoc(), function.i32(batch));
    item = StackOp::create(builder, loss.getLoc(), function.f32({2 * batch, width}), ValueRange{item, query});
    ids = StackOp::create(builder, loss.getLoc(), function.i32(2 * batch), ValueRange{ids, ids});
  }
  return softmax(loss, query, item, ids, {}, {}, {}, loss.getTemperatureAttr());
}

Value Losses::build(SpreadOutLossOp loss) {
  Value z = applyEncoder(function, encoder(loss.getEncoderAttr()), items(loss), View(), lookups);
  return SpreadOutOp::create(builder, loss.getLoc(), function.f32({}), z);
}

Value Losses::run() {
  SmallVector<Value> values;
  SmallVector<float> weights;
  SmallVector<std::string> names;
  auto add = [&](auto loss) {
    values.push_back(build(loss));
    weights.push_back(loss.getWeight().convertToFloat());
    names.push_back("loss/" + loss.getSymName().str());
  };
  for (Operation &op : model.getBody().getOps())
    llvm::TypeSwitch<Operation *>(&op).Case<InBatchSoftmaxLossOp, ContrastiveLossOp, SpreadOutLossOp>(
        [&](auto loss) { add(loss); });
  Value total =
      WeightedSumOp::create(builder, model.getLoc(), function.f32({}), values, builder.getDenseF32ArrayAttr(weights));
  function.addResult("loss", total);
  for (auto [name, value] : llvm::zip(names, values))
    function.addResult(name, value);
  return total;
}

Value tower::buildLosses(FunctionBuilder &function, ModelOp model, LookupCounts &lookups) {
  return Losses(function, model, lookups).run();
}
