// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of losses: their towers, temperatures, weights and augmentations.
#include "frontend/SpecSteps.h"
#include "frontend/Suggest.h"

namespace tower {

using namespace spec;

namespace {

class LossChecker {
public:
  LossChecker(const Spec &spec, SpecDiagnostics &diagnostics)
      : report(spec, diagnostics), spec(spec), model(spec.model) {}

  void run();

private:
  const Tower *tower(const std::string &path, const std::string &name);
  void softmax(const std::string &path, const InBatchSoftmax &loss);
  void agreement();
  void temperature(const std::string &path, float value) {
    report.number(path + ".temperature", value, value > 0, "a finite number > 0");
  }
  template <typename Kind> void items(const std::string &path, const Kind &loss, const Tower *tower);
  void augmentation(const std::string &path, const Augmentation &augmentation, const Tower *tower);

  SpecReporter report;
  const Spec &spec;
  const Model &model;
};

} // namespace

const Tower *LossChecker::tower(const std::string &path, const std::string &name) {
  const Tower *found = findNamed(model.towers(), name);
  if (name.empty())
    report.error(path, "is missing; allowed: " + alternatives(namesOf(model.towers())));
  else if (!found)
    report.unknown(path, "there is no tower", name, "towers", namesOf(model.towers()));
  return found;
}

void LossChecker::softmax(const std::string &path, const InBatchSoftmax &loss) {
  const Tower *query = tower(path + ".query", loss.query());
  const Tower *item = tower(path + ".item", loss.item());
  temperature(path, loss.temperature());
  augmentation(path + ".augmentation", loss.augmentation(), item);
  if (!query || !item || query->layers().empty() || item->layers().empty())
    return;
  auto units = [](const Tower &tower) { return tower.layers(tower.layers_size() - 1).units(); };
  if (units(*query) != units(*item))
    report.error(path, "the last layer of tower \"" + query->name() + "\" has " + std::to_string(units(*query)) +
                           " units, that of tower \"" + item->name() + "\" " + std::to_string(units(*item)) +
                           "; they must be equal");
  if (query->output() != item->output())
    report.error(path, "the output of tower \"" + query->name() + "\" is " + Output_Name(query->output()) +
                           ", that of tower \"" + item->name() + "\" " + Output_Name(item->output()) +
                           "; they must be equal");
}

/// The first in-batch softmax says what is a query and what an item; others must mean the same.
void LossChecker::agreement() {
  const InBatchSoftmax *first = nullptr;
  auto entity = [&](const std::string &name) {
    const Tower *tower = findNamed(model.towers(), name);
    return tower ? tower->entity() : "";
  };
  for (int i = 0; i < model.losses_size(); ++i) {
    if (!model.losses(i).has_in_batch_softmax())
      continue;
    const InBatchSoftmax &loss = model.losses(i).in_batch_softmax();
    if (!first) {
      first = &loss;
      continue;
    }
    for (bool query : {true, false}) {
      std::string expected = entity(query ? first->query() : first->item());
      std::string found = entity(query ? loss.query() : loss.item());
      if (!expected.empty() && !found.empty() && expected != found)
        report.error(element("losses", i) + (query ? ".in_batch_softmax.query" : ".in_batch_softmax.item"),
                     "is a tower over entity \"" + found + "\"; the first in_batch_softmax has one over \"" + expected +
                         "\", and pairs are of one kind");
    }
  }
  if (!first && !spec.places.anySpoiled("losses"))
    report.error("losses", "no in_batch_softmax among them; one is needed: it says which towers are evaluated");
}

template <typename Kind> void LossChecker::items(const std::string &path, const Kind &loss, const Tower *tower) {
  // A wrong training batch is reported where it is written.
  bool own = loss.batch() != model.training().batch();
  if (own && (loss.batch() < 2 || loss.batch() > 1048576))
    report.error(path + ".batch", "found " + std::to_string(loss.batch()) + "; allowed: 2 to 1048576");
  if (!tower || loss.items() != BATCH)
    return;
  for (const Loss &other : model.losses())
    if (other.has_in_batch_softmax()) {
      const Tower *item = findNamed(model.towers(), other.in_batch_softmax().item());
      if (item && item->entity() != tower->entity())
        report.error(path + ".items", "found BATCH, the items of pairs, which are of entity \"" + item->entity() +
                                          "\"; tower \"" + tower->name() + "\" is over \"" + tower->entity() +
                                          "\"; allowed: UNIFORM");
      return;
    }
}

void LossChecker::augmentation(const std::string &path, const Augmentation &augmentation, const Tower *tower) {
  float dropout = augmentation.value_dropout();
  report.number(path + ".value_dropout", dropout, dropout >= 0 && dropout < 1, "a number in [0, 1)");
  if (!tower || spec.places.anySpoiled("entities") || !findNamed(model.entities(), tower->entity()))
    return;
  bool multi = false;
  for (const Feature &feature : findNamed(model.entities(), tower->entity())->features())
    for (const std::string &name : tower->features())
      multi |= name == feature.name() && feature.has_multi();
  if (dropout > 0 && !multi)
    report.error(path + ".value_dropout", "found " + numberText(dropout) + ", but tower \"" + tower->name() +
                                              "\" has no multi-valued feature to drop values of");
  if (augmentation.mask() == NO_MASK)
    return;
  int features = tower->features_size();
  if (features < 3)
    report.error(path + ".mask", "found " + Mask_Name(augmentation.mask()) + " on tower \"" + tower->name() +
                                     "\", which has " + std::to_string(features) +
                                     (features == 1 ? " feature" : " features") + "; 3 or more are needed");
  else if (augmentation.masked_features() < 1 || augmentation.masked_features() >= static_cast<uint32_t>(features))
    report.error(path + ".masked_features", "found " + std::to_string(augmentation.masked_features()) + "; tower \"" +
                                                tower->name() + "\" has " + std::to_string(features) +
                                                " features, of which 1 to " + std::to_string(features - 1) +
                                                " can be masked");
}

void LossChecker::run() {
  for (int i = 0; i < model.losses_size(); ++i) {
    const Loss &loss = model.losses(i);
    std::string path = element("losses", i);
    report.number(path + ".weight", loss.weight(), loss.weight() >= 0, "a finite number >= 0");
    switch (loss.kind_case()) {
    case Loss::kInBatchSoftmax:
      softmax(path + ".in_batch_softmax", loss.in_batch_softmax());
      break;
    case Loss::kContrastive: {
      std::string at = path + ".contrastive";
      const Tower *on = tower(at + ".tower", loss.contrastive().tower());
      temperature(at, loss.contrastive().temperature());
      items(at, loss.contrastive(), on);
      augmentation(at + ".augmentation", loss.contrastive().augmentation(), on);
      break;
    }
    case Loss::kSpreadOut: {
      std::string at = path + ".spread_out";
      items(at, loss.spread_out(), tower(at + ".tower", loss.spread_out().tower()));
      break;
    }
    case Loss::KIND_NOT_SET:
      if (!spec.places.anySpoiled(path + "."))
        report.error(path, "is of no kind; in_batch_softmax { ... }, contrastive { ... } or spread_out { ... } is "
                           "expected");
    }
  }
  agreement();
}

void checkLosses(const Spec &spec, SpecDiagnostics &diagnostics) { LossChecker(spec, diagnostics).run(); }

} // namespace tower
