// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random specs.

#include "test/oracle/Generator.h"

#include <algorithm>
#include <map>

using namespace tower;
using namespace tower::oracle;

namespace {

class ModelWriter {
public:
  ModelWriter(Dice &dice, const data::Dataset &data) : dice(dice), data(data) {}
  spec::Model write();

private:
  /// A value of an enumeration, its default included.
  template <typename Enum> Enum any(int count) { return Enum(dice.between(int64_t{0}, count)); }
  int64_t width() { return dice.chance(0.3) ? dice.of<int64_t>({8, 16, 32}) : dice.between(int64_t{1}, int64_t{21}); }
  float temperature() { return float(dice.between(0.15, 1.5)); }

  std::string table(const std::string &vocabulary);
  void initializer(spec::Initializer &init);
  void entity(const data::EntityInfo &info);
  void tower(const std::string &name, const std::string &entity, int64_t units, spec::Output output);
  void losses();
  void softmax(spec::InBatchSoftmax &loss);
  void contrastive(spec::Contrastive &loss);
  template <typename Kind> void items(Kind &loss, const std::string &tower);
  void augmentation(spec::Augmentation &augmentation, const std::string &tower);
  void training();
  void optimizer(spec::Optimizer &optimizer, bool tables);

  const spec::Tower &named(const std::string &tower) const;
  std::string anyTower() { return model.towers(dice.between(int64_t{0}, model.towers_size() - 1)).name(); }

  Dice &dice;
  const data::Dataset &data;
  spec::Model model;
  std::multimap<std::string, std::string> tables; ///< By vocabulary.
  std::string query, item;                        ///< Towers of the main loss.
};

const spec::Tower &ModelWriter::named(const std::string &name) const {
  return *std::find_if(model.towers().begin(), model.towers().end(), [&](auto &t) { return t.name() == name; });
}

void ModelWriter::initializer(spec::Initializer &init) {
  int64_t kind = dice.between(int64_t{0}, int64_t{3});
  if (kind == 0)
    init.set_normal(float(dice.between(0.05, 0.4)));
  else if (kind == 1)
    init.set_uniform(float(dice.between(0.05, 0.4)));
  else if (kind == 2)
    init.set_glorot(true);
  if (dice.chance(0.2))
    init.set_seed(dice.between(int64_t{1}, int64_t{99}));
}

// One of the vocabulary's tables, or a new one.
std::string ModelWriter::table(const std::string &vocabulary) {
  auto [begin, end] = tables.equal_range(vocabulary);
  if (begin != end && dice.chance(0.6))
    return std::next(begin, dice.between(int64_t{0}, std::distance(begin, end) - 1))->second;
  spec::Table &table = *model.add_tables();
  table.set_name("t" + std::to_string(model.tables_size() - 1));
  table.set_dim(width());
  if (dice.chance(0.3)) // slack
    table.set_rows(dice.between(int64_t{30}, int64_t{40}));
  initializer(*table.mutable_initializer());
  tables.emplace(vocabulary, table.name());
  return table.name();
}

void ModelWriter::entity(const data::EntityInfo &info) {
  spec::Entity &entity = *model.add_entities();
  entity.set_name(info.name());
  for (const data::ColumnInfo &column : info.columns()) {
    int64_t copies = dice.chance(0.15) ? 2 : 1; // one column may be two features
    for (int64_t copy = 0; copy < copies; ++copy) {
      spec::Feature &feature = *entity.add_features();
      bool renamed = copy > 0 || dice.chance(0.2);
      feature.set_name(renamed ? "f" + std::to_string(entity.features_size()) : column.name());
      if (renamed)
        feature.set_column(column.name());
      if (column.kind() == data::SINGLE) {
        feature.mutable_single()->set_table(table(column.vocabulary()));
      } else if (column.kind() == data::MULTI) {
        feature.mutable_multi()->set_table(table(column.vocabulary()));
        feature.mutable_multi()->set_pooling(any<spec::Pooling>(3));
        if (dice.chance(0.3))
          feature.mutable_multi()->set_max_values(7);
      } else {
        feature.mutable_dense()->set_scaling(any<spec::Scaling>(3));
        if (dice.chance(0.5))
          feature.mutable_dense()->set_width(column.width());
      }
    }
  }
}

void ModelWriter::tower(const std::string &name, const std::string &entity, int64_t units, spec::Output output) {
  spec::Tower &tower = *model.add_towers();
  tower.set_name(name);
  tower.set_entity(entity);
  tower.set_output(output);
  if (dice.chance(0.4)) {
    std::vector<std::string> names;
    for (const spec::Entity &e : model.entities())
      if (e.name() == entity)
        for (const spec::Feature &feature : e.features())
          names.push_back(feature.name());
    for (size_t i = names.size(); i > 1; --i)
      std::swap(names[i - 1], names[dice.between(int64_t{0}, i - 1)]);
    names.resize(dice.between(int64_t{1}, names.size()));
    for (const std::string &feature : names)
      tower.add_features(feature);
  }
  int64_t layers = dice.between(int64_t{1}, int64_t{4});
  for (int64_t l = 0; l < layers; ++l) {
    spec::Layer &layer = *tower.add_layers();
    layer.set_units(l + 1 == layers ? units : width());
    layer.set_activation(any<spec::Activation>(4));
    layer.set_bias(any<spec::Bias>(2));
    initializer(*layer.mutable_initializer());
  }
}

void ModelWriter::augmentation(spec::Augmentation &augmentation, const std::string &name) {
  const spec::Tower &tower = named(name);
  std::vector<std::string> features(tower.features().begin(), tower.features().end());
  bool multi = false;
  int64_t count = 0;
  for (const spec::Entity &entity : model.entities())
    if (entity.name() == tower.entity())
      for (const spec::Feature &feature : entity.features())
        if (features.empty() || std::find(features.begin(), features.end(), feature.name()) != features.end()) {
          ++count;
          multi |= feature.has_multi();
        }
  if (count >= 3) {
    augmentation.set_mask(dice.chance(0.15) ? any<spec::Mask>(1) : dice.of({spec::RANDOM, spec::CORRELATED}));
    if (augmentation.mask() > spec::NO_MASK && dice.chance(0.5))
      augmentation.set_masked_features(dice.between(int64_t{1}, count - 1));
  }
  augmentation.set_mi(any<spec::MutualInformation>(2));
  if (multi && dice.chance(0.5))
    augmentation.set_value_dropout(float(dice.between(0.05, 0.8)));
}

void ModelWriter::softmax(spec::InBatchSoftmax &loss) {
  loss.set_query(query);
  loss.set_item(item);
  if (dice.chance(0.9))
    loss.set_temperature(temperature());
  loss.set_logq(any<spec::LogQ>(2));
  loss.set_accidental_hits(any<spec::Hits>(2));
  loss.set_same_query_positives(any<spec::Hits>(2));
  loss.set_pair_weights(any<spec::PairWeights>(data.pairs(0).weighted() ? 2 : 1));
  if (dice.chance(0.4))
    augmentation(*loss.mutable_augmentation(), item);
}

// Items of the batch are rows of the item entity; a loss over another one draws its own.
template <typename Kind> void ModelWriter::items(Kind &loss, const std::string &tower) {
  loss.set_items(any<spec::Items>(named(tower).entity() == data.item_entity() ? 2 : 1));
  if (loss.items() != spec::BATCH && dice.chance(0.6))
    loss.set_batch(dice.between(int64_t{2}, int64_t{33}));
}

void ModelWriter::contrastive(spec::Contrastive &loss) {
  loss.set_tower(anyTower());
  if (dice.chance(0.9))
    augmentation(*loss.mutable_augmentation(), loss.tower());
  loss.set_views(any<spec::Views>(3));
  items(loss, loss.tower());
  loss.set_temperature(temperature());
  loss.set_negatives(any<spec::Negatives>(2));
  loss.set_accidental_hits(any<spec::Hits>(2));
}

void ModelWriter::losses() {
  auto add = [&](const char *name) -> spec::Loss & {
    spec::Loss &loss = *model.add_losses();
    if (dice.chance(0.5))
      loss.set_name(name);
    if (dice.chance(0.7))
      loss.set_weight(dice.chance(0.05) ? 0.0f : float(dice.between(0.1, 2.0)));
    return loss;
  };
  softmax(*add("main").mutable_in_batch_softmax());
  if (dice.chance(0.15))
    softmax(*add("again").mutable_in_batch_softmax());
  int64_t count = dice.of<int64_t>({0, 1, 1, 1, 2});
  for (int64_t i = 0; i < count; ++i)
    contrastive(*add(i ? "ssl2" : "ssl").mutable_contrastive());
  if (dice.chance(0.35)) {
    spec::SpreadOut &loss = *add("spread").mutable_spread_out();
    loss.set_tower(anyTower());
    items(loss, loss.tower());
  }
}

void ModelWriter::optimizer(spec::Optimizer &optimizer, bool tables) {
  float rate = float(dice.between(0.001, 0.2));
  auto adagrad = [&](auto &kind) {
    kind.set_rate(rate);
    if (dice.chance(0.5))
      kind.set_initial(float(dice.between(0.0, 1.0)));
    if (dice.chance(0.5))
      kind.set_epsilon(float(dice.between(1e-8, 1e-3)));
  };
  switch (dice.between(int64_t{0}, tables ? 4 : 3)) {
  case 0:
    break; // the default
  case 1:
    optimizer.mutable_sgd()->set_rate(rate);
    break;
  case 2:
    adagrad(*optimizer.mutable_adagrad());
    break;
  case 3:
    optimizer.mutable_adam()->set_rate(rate / 10);
    if (dice.chance(0.5))
      optimizer.mutable_adam()->set_beta1(float(dice.between(0.0, 0.99)));
    if (dice.chance(0.5))
      optimizer.mutable_adam()->set_beta2(float(dice.between(0.5, 0.999)));
    if (dice.chance(0.5))
      optimizer.mutable_adam()->set_epsilon(float(dice.between(1e-8, 1e-3)));
    break;
  default:
    adagrad(*optimizer.mutable_rowwise_adagrad());
  }
  if (!tables && dice.chance(0.4))
    optimizer.set_weight_decay(float(dice.between(0.001, 0.3)));
}

void ModelWriter::training() {
  spec::Training &training = *model.mutable_training();
  int64_t pairs = data.pairs(0).rows();
  training.set_batch(dice.between(int64_t{2}, std::min<int64_t>(pairs, 40)));
  if (dice.chance(0.4))
    training.set_epochs(dice.between(int64_t{1}, int64_t{5}));
  else if (dice.chance(0.7))
    training.set_steps(dice.between(int64_t{12}, int64_t{40}));
  if (dice.chance(0.5))
    training.set_seed(dice.between(int64_t{1}, int64_t{1000}));
  optimizer(*training.mutable_tables(), /*tables=*/true);
  optimizer(*training.mutable_dense(), /*tables=*/false);
  if (dice.chance(0.4))
    training.set_clip_norm(float(dice.between(0.01, 3.0)));
  spec::Schedule &schedule = *training.mutable_schedule();
  if (dice.chance(0.4))
    schedule.set_warmup_steps(dice.between(int64_t{1}, int64_t{9}));
  schedule.set_decay(any<spec::Decay>(3));
  if (schedule.decay() > spec::CONSTANT && dice.chance(0.5))
    schedule.set_final_fraction(float(dice.real()));
}

spec::Model ModelWriter::write() {
  model.set_name("generated");
  for (const data::EntityInfo &info : data.entities())
    entity(info);
  if (dice.chance(0.1)) { // a table that no feature uses
    spec::Table &table = *model.add_tables();
    table.set_name("unused");
    table.set_dim(3);
  }
  int64_t units = std::max<int64_t>(width(), 2);
  spec::Output output = any<spec::Output>(2);
  bool siamese = data.query_entity() == data.item_entity() && dice.chance(0.5);
  query = siamese ? "both" : "query";
  item = siamese ? "both" : "item";
  tower(query, data.query_entity(), units, output);
  if (!siamese)
    tower(item, data.item_entity(), units, output);
  if (dice.chance(0.2)) // one that only other losses train
    tower("third", dice.of({data.query_entity(), data.item_entity()}), width(), any<spec::Output>(2));
  training();
  losses();
  model.set_precision(dice.chance(0.2) ? spec::BF16 : any<spec::Precision>(1));
  return model;
}

} // namespace

spec::Model oracle::generateModel(Dice &dice, const data::Dataset &data) { return ModelWriter(dice, data).write(); }
