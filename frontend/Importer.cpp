// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Importer.h"
#include "dialect/Tower.h"
#include "frontend/ModelReader.h"
#include "passes/Products.h"

using namespace mlir;

namespace tower {
namespace {

class Importer {
public:
  Importer(const Spec &spec, MLIRContext *context) : spec(spec), model(spec.model), builder(context) {}

  OwningOpRef<ModuleOp> import();

private:
  const Spec &spec;
  const spec::Model &model;
  OpBuilder builder;

  Location locationOf(const std::string &path) {
    SpecPosition position = spec.positionOf(path);
    return FileLineColLoc::get(builder.getContext(), position.file, position.line, position.column);
  }
  static std::string element(const char *list, int i) { return std::string(list) + "[" + std::to_string(i) + "]"; }
  FlatSymbolRefAttr symbol(const std::string &name) { return FlatSymbolRefAttr::get(builder.getContext(), name); }
  FloatAttr f32(float value) { return builder.getF32FloatAttr(value); }
  /// Opens an op's only region for what follows.
  void enter(Operation *op) { builder.setInsertionPointToStart(&op->getRegion(0).emplaceBlock()); }

  InitAttr init(const spec::Initializer &initializer);
  DictionaryAttr options(const spec::Optimizer &optimizer);
  void importEntity(const spec::Entity &entity, const std::string &path);
  void importTower(const spec::Tower &tower, const std::string &path);
  void importLoss(const spec::Loss &loss, const std::string &path);
  void importTraining();
};

// The enumerations of the spec and of the dialect are apart, so that neither dictates the other's numbers.

Pooling poolingOf(spec::Pooling pooling) {
  switch (pooling) {
  case spec::SUM:
    return Pooling::sum;
  case spec::SQRTN:
    return Pooling::sqrtn;
  default:
    return Pooling::mean;
  }
}

Scaling scalingOf(spec::Scaling scaling) {
  switch (scaling) {
  case spec::NONE:
    return Scaling::none;
  case spec::LOG_STANDARDIZED:
    return Scaling::log_standardized;
  default:
    return Scaling::standardized;
  }
}

Activation activationOf(spec::Activation activation) {
  switch (activation) {
  case spec::RELU:
    return Activation::relu;
  case spec::TANH:
    return Activation::tanh;
  case spec::GELU:
    return Activation::gelu;
  default:
    return Activation::identity;
  }
}

Mask maskOf(spec::Mask mask) {
  switch (mask) {
  case spec::RANDOM:
    return Mask::random;
  case spec::CORRELATED:
    return Mask::correlated;
  default:
    return Mask::none;
  }
}

Views viewsOf(spec::Views views) {
  switch (views) {
  case spec::SAME:
    return Views::same;
  case spec::INDEPENDENT:
    return Views::independent;
  default:
    return Views::complementary;
  }
}

Items itemsOf(spec::Items items) { return items == spec::BATCH ? Items::batch : Items::uniform; }

MutualInformation informationOf(spec::MutualInformation mi) {
  return mi == spec::CORRECTED ? MutualInformation::corrected : MutualInformation::plugin;
}

OptimizerKind kindOf(const spec::Optimizer &optimizer) {
  switch (optimizer.kind_case()) {
  case spec::Optimizer::kSgd:
    return OptimizerKind::sgd;
  case spec::Optimizer::kRowwiseAdagrad:
    return OptimizerKind::rowwise_adagrad;
  case spec::Optimizer::kAdam:
    return OptimizerKind::adam;
  default:
    return OptimizerKind::adagrad;
  }
}

InitAttr Importer::init(const spec::Initializer &initializer) {
  InitKind kind = InitKind::glorot;
  float scale = 0;
  if (initializer.kind_case() == spec::Initializer::kNormal) {
    kind = InitKind::normal;
    scale = initializer.normal();
  } else if (initializer.kind_case() == spec::Initializer::kUniform) {
    kind = InitKind::uniform;
    scale = initializer.uniform();
  }
  return InitAttr::get(builder.getContext(), kind, llvm::APFloat(scale), initializer.seed());
}

DictionaryAttr Importer::options(const spec::Optimizer &optimizer) {
  NamedAttrList list;
  auto adagrad = [&](const auto &options) {
    list.set("rate", f32(options.rate()));
    list.set("initial", f32(options.initial()));
    list.set("epsilon", f32(options.epsilon()));
  };
  switch (optimizer.kind_case()) {
  case spec::Optimizer::kSgd:
    list.set("rate", f32(optimizer.sgd().rate()));
    break;
  case spec::Optimizer::kRowwiseAdagrad:
    adagrad(optimizer.rowwise_adagrad());
    break;
  case spec::Optimizer::kAdam:
    list.set("rate", f32(optimizer.adam().rate()));
    list.set("beta1", f32(optimizer.adam().beta1()));
    list.set("beta2", f32(optimizer.adam().beta2()));
    list.set("epsilon", f32(optimizer.adam().epsilon()));
    break;
  default:
    adagrad(optimizer.adagrad());
  }
  list.set("weight_decay", f32(optimizer.weight_decay()));
  return list.getDictionary(builder.getContext());
}

void Importer::importEntity(const spec::Entity &entity, const std::string &path) {
  OpBuilder::InsertionGuard guard(builder);
  enter(EntityOp::create(builder, locationOf(path), entity.name()));
  for (int i = 0; i < entity.features_size(); ++i) {
    const spec::Feature &feature = entity.features(i);
    Location loc = locationOf(path + "." + element("features", i));
    if (feature.has_single())
      SingleFeatureOp::create(builder, loc, feature.name(), feature.single().table(), feature.column());
    else if (feature.has_multi())
      MultiFeatureOp::create(builder, loc, feature.name(), feature.multi().table(),
                             poolingOf(feature.multi().pooling()), feature.multi().max_values(), feature.column());
    else
      DenseFeatureOp::create(builder, loc, feature.name(), feature.dense().width(),
                             scalingOf(feature.dense().scaling()), feature.column());
  }
}

void Importer::importTower(const spec::Tower &tower, const std::string &path) {
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Attribute> features;
  for (const std::string &feature : tower.features())
    features.push_back(symbol(feature));
  enter(EncoderOp::create(builder, locationOf(path), tower.name(), tower.entity(), builder.getArrayAttr(features),
                          tower.output() == spec::RAW ? Output::raw : Output::normalized));
  for (int i = 0; i < tower.layers_size(); ++i) {
    const spec::Layer &layer = tower.layers(i);
    LayerOp::create(builder, locationOf(path + "." + element("layers", i)), layer.units(),
                    activationOf(layer.activation()), layer.bias() != spec::ABSENT, init(layer.initializer()));
  }
}

void Importer::importLoss(const spec::Loss &loss, const std::string &path) {
  Location loc = locationOf(path);
  if (loss.has_in_batch_softmax()) {
    const spec::InBatchSoftmax &kind = loss.in_batch_softmax();
    const spec::Augmentation &views = kind.augmentation();
    InBatchSoftmaxLossOp::create(
        builder, loc, loss.name(), kind.query(), kind.item(), llvm::APFloat(kind.temperature()),
        llvm::APFloat(loss.weight()), kind.logq() == spec::COUNTED, kind.accidental_hits() == spec::REMOVE,
        kind.same_query_positives() == spec::REMOVE, kind.pair_weights() == spec::FROM_DATA, maskOf(views.mask()),
        views.masked_features(), llvm::APFloat(views.value_dropout()), informationOf(views.mi()));
  } else if (loss.has_contrastive()) {
    const spec::Contrastive &kind = loss.contrastive();
    const spec::Augmentation &views = kind.augmentation();
    ContrastiveLossOp::create(
        builder, loc, loss.name(), kind.tower(), itemsOf(kind.items()), kind.batch(), viewsOf(kind.views()),
        kind.negatives() == spec::ALL ? Negatives::all : Negatives::cross_view, llvm::APFloat(kind.temperature()),
        llvm::APFloat(loss.weight()), kind.accidental_hits() == spec::REMOVE, maskOf(views.mask()),
        views.masked_features(), llvm::APFloat(views.value_dropout()), informationOf(views.mi()));
  } else {
    const spec::SpreadOut &kind = loss.spread_out();
    SpreadOutLossOp::create(builder, loc, loss.name(), kind.tower(), itemsOf(kind.items()), kind.batch(),
                            llvm::APFloat(loss.weight()));
  }
}

void Importer::importTraining() {
  const spec::Training &training = model.training();
  FloatAttr clip = training.clip_norm() > 0 ? f32(training.clip_norm()) : FloatAttr();
  TrainingOp::create(builder, locationOf("training"), training.batch(), kindOf(training.tables()),
                     options(training.tables()), kindOf(training.dense()), options(training.dense()), clip);
}

OwningOpRef<ModuleOp> Importer::import() {
  OwningOpRef<ModuleOp> module = ModuleOp::create(locationOf("name"));
  if (model.precision() == spec::BF16)
    (*module)->setAttr(kBf16Attr, builder.getUnitAttr());
  builder.setInsertionPointToStart(module->getBody());
  enter(ModelOp::create(builder, locationOf("name"), model.name()));
  for (int i = 0; i < model.tables_size(); ++i) {
    const spec::Table &table = model.tables(i);
    TableOp::create(builder, locationOf(element("tables", i)), table.name(), table.rows(), table.dim(),
                    init(table.initializer()));
  }
  for (int i = 0; i < model.entities_size(); ++i)
    importEntity(model.entities(i), element("entities", i));
  for (int i = 0; i < model.towers_size(); ++i)
    importTower(model.towers(i), element("towers", i));
  for (int i = 0; i < model.losses_size(); ++i)
    importLoss(model.losses(i), element("losses", i));
  importTraining();
  return module;
}

} // namespace

OwningOpRef<ModuleOp> importModel(const Spec &spec, MLIRContext *context) {
  context->loadDialect<TowerDialect>();
  return Importer(spec, context).import();
}

} // namespace tower
