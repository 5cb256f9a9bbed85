// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the declared model to dataflow: the training step and the inference functions.

#include "passes/BuildStep.h"
#include "passes/Passes.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_BUILDSTEP
#include "passes/Passes.h.inc"
} // namespace tower

using namespace tower;

namespace {

// Arguments of the training step come in a fixed order, whatever the losses ask for first: the model's tensors lead.
void buildTrainStep(ModuleOp module, ModelOp model, ArrayRef<std::string> parameters) {
  FunctionBuilder function(module, model.getLoc(), "train_step");
  for (auto tensor : module.getOps<TensorOp>())
    function.tensor(tensor.getSymName());
  LookupCounts lookups;
  Value loss = buildLosses(function, model, lookups);
  buildUpdates(function, model, loss, parameters, lookups);
  function.finish();
}

void buildEmbed(ModuleOp module, EncoderOp encoder, StringRef name) {
  FunctionBuilder function(module, encoder.getLoc(), name);
  LookupCounts lookups;
  Value rows = function.argument("rows", {embedBatch}, function.builder.getI32Type());
  function.addResult("embeddings", applyEncoder(function, encoder, rows, View(), lookups));
  function.finish();
}

void buildScore(ModuleOp module, EncoderOp encoder) {
  FunctionBuilder function(module, encoder.getLoc(), "score");
  OpBuilder &builder = function.builder;
  int64_t dim = 0, any = ShapedType::kDynamic;
  for (auto layer : encoder.getBody().getOps<LayerOp>())
    dim = layer.getUnits();
  Value queries = function.argument("queries", {any, dim}, builder.getF32Type());
  Value catalogue = function.argument("catalogue", {any, dim}, builder.getF32Type());
  Value offsets = function.argument("exclude_offsets", {any}, builder.getI64Type());
  Value rows = function.argument("exclude_rows", {any}, builder.getI32Type());
  auto best = TopKOp::create(builder, encoder.getLoc(), function.f32({any, any}), function.i32({any, any}), queries,
                             catalogue, offsets, rows);
  function.addResult("scores", best.getScores());
  function.addResult("rows", best.getRows());
  function.finish();
}

struct BuildStep : tower::impl::BuildStepBase<BuildStep> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto models = module.getOps<ModelOp>();
    if (!llvm::hasSingleElement(models)) {
      module.emitError("needs exactly one tower.model");
      return signalPassFailure();
    }
    ModelOp model = *models.begin();
    // The first in-batch softmax defines which towers answer queries.
    auto losses = model.getBody().getOps<InBatchSoftmaxLossOp>();
    if (losses.empty()) {
      model.emitError("needs an in-batch softmax loss: it defines the towers of queries and items");
      return signalPassFailure();
    }
    InBatchSoftmaxLossOp main = *losses.begin();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    SmallVector<std::string> parameters = declareTensors(model, builder);
    buildTrainStep(module, model, parameters);
    auto item = model.encoder(main.getItemAttr());
    buildEmbed(module, model.encoder(main.getQueryAttr()), "embed_queries");
    buildEmbed(module, item, "embed_items");
    buildScore(module, item);
  }
};

} // namespace
