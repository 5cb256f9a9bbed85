// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The defaults that model.proto documents.
#include "frontend/SpecSteps.h"

namespace tower {

using namespace spec;

static const char *kindName(const Loss &loss) {
  switch (loss.kind_case()) {
  case Loss::kInBatchSoftmax:
    return "in_batch_softmax";
  case Loss::kContrastive:
    return "contrastive";
  case Loss::kSpreadOut:
    return "spread_out";
  case Loss::KIND_NOT_SET:
    break;
  }
  return "loss";
}

std::string lossName(const Model &model, int index) {
  const Loss &loss = model.losses(index);
  if (!loss.name().empty())
    return loss.name();
  int nth = 1;
  for (int i = 0; i < index; ++i)
    nth += model.losses(i).kind_case() == loss.kind_case();
  return nth == 1 ? kindName(loss) : kindName(loss) + ("_" + std::to_string(nth));
}

static void completeFeature(Feature &feature) {
  if (feature.column().empty())
    feature.set_column(feature.name());
  if (feature.has_single() && feature.single().table().empty())
    feature.mutable_single()->set_table(feature.name());
  if (feature.has_multi()) {
    Multi &multi = *feature.mutable_multi();
    if (multi.table().empty())
      multi.set_table(feature.name());
    if (multi.pooling() == POOLING_DEFAULT)
      multi.set_pooling(MEAN);
  }
  if (feature.has_dense() && feature.dense().scaling() == SCALING_DEFAULT)
    feature.mutable_dense()->set_scaling(STANDARDIZED);
}

static void completeTower(Tower &tower, const Model &model) {
  if (tower.features().empty())
    if (const Entity *entity = findNamed(model.entities(), tower.entity()))
      for (const Feature &feature : entity->features())
        tower.add_features(feature.name());
  if (tower.output() == OUTPUT_DEFAULT)
    tower.set_output(NORMALIZED);
  for (Layer &layer : *tower.mutable_layers()) {
    if (layer.activation() == ACTIVATION_DEFAULT)
      layer.set_activation(IDENTITY);
    if (layer.bias() == BIAS_DEFAULT)
      layer.set_bias(TRAINED);
    if (layer.initializer().kind_case() == Initializer::KIND_NOT_SET)
      layer.mutable_initializer()->set_glorot(true);
  }
}

/// `path`: of the augmentation.
static void completeAugmentation(Augmentation &augmentation, const std::string &tower, const std::string &path,
                                 const Model &model, SpecReporter &report) {
  if (augmentation.mask() == MASK_DEFAULT)
    augmentation.set_mask(NO_MASK);
  if (augmentation.mi() == MI_DEFAULT)
    augmentation.set_mi(PLUGIN);
  if (augmentation.mask() == NO_MASK) {
    if (augmentation.has_masked_features())
      report.warning(path + ".masked_features", "has no effect without a mask");
    augmentation.set_masked_features(0);
  } else if (const Tower *masked = findNamed(model.towers(), tower); masked && !augmentation.has_masked_features()) {
    int half = masked->features_size() / 2;
    augmentation.set_masked_features(augmentation.mask() == CORRELATED ? 1 + half : half);
  }
}

static void completeLoss(Loss &loss, const std::string &path, const Model &model, SpecReporter &report) {
  if (!loss.has_weight())
    loss.set_weight(1);
  if (loss.has_in_batch_softmax()) {
    InBatchSoftmax &softmax = *loss.mutable_in_batch_softmax();
    if (!softmax.has_temperature())
      softmax.set_temperature(0.1f);
    if (softmax.logq() == LOGQ_DEFAULT)
      softmax.set_logq(NO_CORRECTION);
    if (softmax.accidental_hits() == HITS_DEFAULT)
      softmax.set_accidental_hits(REMOVE);
    if (softmax.same_query_positives() == HITS_DEFAULT)
      softmax.set_same_query_positives(KEEP);
    if (softmax.pair_weights() == PAIR_WEIGHTS_DEFAULT)
      softmax.set_pair_weights(UNIFORM_WEIGHTS);
    completeAugmentation(*softmax.mutable_augmentation(), softmax.item(), path + ".in_batch_softmax.augmentation",
                         model, report);
  }
  if (loss.has_contrastive()) {
    Contrastive &contrastive = *loss.mutable_contrastive();
    completeAugmentation(*contrastive.mutable_augmentation(), contrastive.tower(), path + ".contrastive.augmentation",
                         model, report);
    bool masked = contrastive.augmentation().mask() != NO_MASK;
    if (!masked && (contrastive.views() == COMPLEMENTARY || contrastive.views() == INDEPENDENT))
      report.warning(path + ".contrastive.views", "has no effect without a mask");
    if (!masked)
      contrastive.set_views(SAME);
    else if (contrastive.views() == VIEWS_DEFAULT)
      contrastive.set_views(COMPLEMENTARY);
    if (contrastive.items() == ITEMS_DEFAULT)
      contrastive.set_items(UNIFORM);
    if (!contrastive.has_temperature())
      contrastive.set_temperature(0.1f);
    if (contrastive.negatives() == NEGATIVES_DEFAULT)
      contrastive.set_negatives(CROSS_VIEW);
    if (contrastive.accidental_hits() == HITS_DEFAULT)
      contrastive.set_accidental_hits(REMOVE);
  }
  if (loss.has_spread_out() && loss.spread_out().items() == ITEMS_DEFAULT)
    loss.mutable_spread_out()->set_items(UNIFORM);
}

/// A loss has the training batch's size unless it says another one.
template <typename Kind>
static void completeBatch(Kind &kind, const Model &model, const std::string &path, SpecReporter &report) {
  if (kind.has_batch() && kind.items() == BATCH)
    report.error(path + ".batch", "found " + std::to_string(kind.batch()) +
                                      " beside items: BATCH, which takes the training batch; leave it out");
  if (!kind.has_batch())
    kind.set_batch(model.training().batch());
}

template <typename Kind> static void completeAdagrad(Kind &kind) {
  if (!kind.has_rate())
    kind.set_rate(0.05f);
  if (!kind.has_initial())
    kind.set_initial(0.1f);
  if (!kind.has_epsilon())
    kind.set_epsilon(1e-10f);
}

static void completeOptimizer(Optimizer &optimizer) {
  switch (optimizer.kind_case()) {
  case Optimizer::kSgd:
    if (!optimizer.sgd().has_rate())
      optimizer.mutable_sgd()->set_rate(0.05f);
    break;
  case Optimizer::KIND_NOT_SET:
  case Optimizer::kAdagrad:
    completeAdagrad(*optimizer.mutable_adagrad());
    break;
  case Optimizer::kRowwiseAdagrad:
    completeAdagrad(*optimizer.mutable_rowwise_adagrad());
    break;
  case Optimizer::kAdam: {
    Adam &adam = *optimizer.mutable_adam();
    if (!adam.has_rate())
      adam.set_rate(0.001f);
    if (!adam.has_beta1())
      adam.set_beta1(0.9f);
    if (!adam.has_beta2())
      adam.set_beta2(0.999f);
    if (!adam.has_epsilon())
      adam.set_epsilon(1e-8f);
    break;
  }
  }
}

static void completeTraining(Training &training) {
  if (!training.has_batch())
    training.set_batch(1024);
  if (training.length_case() == Training::LENGTH_NOT_SET)
    training.set_epochs(10);
  if (!training.has_seed())
    training.set_seed(1);
  completeOptimizer(*training.mutable_tables());
  completeOptimizer(*training.mutable_dense());
  if (training.schedule().decay() == DECAY_DEFAULT)
    training.mutable_schedule()->set_decay(CONSTANT);
  training.mutable_validation();
}

void completeSpec(Spec &spec, SpecDiagnostics &diagnostics) {
  SpecReporter report(spec, diagnostics);
  Model &model = spec.model;
  for (Table &table : *model.mutable_tables())
    if (table.initializer().kind_case() == Initializer::KIND_NOT_SET)
      table.mutable_initializer()->set_normal(0.05f);
  for (Entity &entity : *model.mutable_entities())
    for (Feature &feature : *entity.mutable_features())
      completeFeature(feature);
  for (Tower &tower : *model.mutable_towers())
    completeTower(tower, model);
  completeTraining(*model.mutable_training());
  if (model.precision() == PRECISION_DEFAULT)
    model.set_precision(FP32);
  std::vector<std::string> names;
  for (int i = 0; i < model.losses_size(); ++i)
    names.push_back(lossName(model, i));
  for (int i = 0; i < model.losses_size(); ++i) {
    Loss &loss = *model.mutable_losses(i);
    std::string path = element("losses", i);
    loss.set_name(names[i]);
    completeLoss(loss, path, model, report);
    if (loss.has_contrastive())
      completeBatch(*loss.mutable_contrastive(), model, path + ".contrastive", report);
    if (loss.has_spread_out())
      completeBatch(*loss.mutable_spread_out(), model, path + ".spread_out", report);
  }
}

} // namespace tower
