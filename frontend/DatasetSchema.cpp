// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A spec against its data.
#include "frontend/DatasetSchema.h"
#include "frontend/SpecSteps.h"
#include "frontend/Suggest.h"

#include <algorithm>
#include <filesystem>

namespace tower {

using namespace spec;

std::optional<data::Dataset> readDatasetSchema(const std::string &folder, SpecDiagnostics &diagnostics) {
  std::string file = (std::filesystem::path(folder) / "schema.txtpb").string();
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    diagnostics.error({file, 0, 0, 1}, "is not there; --data names a folder made by `towerc data import`");
    return std::nullopt;
  }
  int before = diagnostics.numErrors();
  std::optional<std::string> text = readTextFile(file, diagnostics);
  data::Dataset dataset;
  SpecPlaces places(file);
  if (!text || !parseSpecText(file, *text, dataset, places, diagnostics) || diagnostics.numErrors() > before)
    return std::nullopt;
  return dataset;
}

namespace {

class Resolver {
public:
  Resolver(Spec &spec, const data::Dataset &dataset, const std::string &folder, SpecDiagnostics &diagnostics)
      : report(spec, diagnostics), spec(spec), model(spec.model), dataset(dataset), folder(folder),
        schema((std::filesystem::path(folder) / "schema.txtpb").string()) {}

  void run();

private:
  void feature(const std::string &path, Feature &feature, const data::EntityInfo &entity);
  void dense(const std::string &path, Dense &dense, const data::ColumnInfo &column);
  void lookUp(const std::string &path, const std::string &table, const data::ColumnInfo &column);
  void tables();
  void pairs();
  void masks();

  /// What the features that use a table ask of it.
  struct Need {
    uint32_t rows = 0;
    std::string vocabulary;
    std::string feature; ///< The first one's path.
  };

  SpecReporter report;
  Spec &spec;
  Model &model;
  const data::Dataset &dataset;
  const std::string &folder;
  std::string schema; ///< The file's name.
  std::map<std::string, Need> needs;
};

} // namespace

static const char *kindText(data::ColumnKind kind) {
  switch (kind) {
  case data::SINGLE:
    return "single";
  case data::MULTI:
    return "multi";
  case data::DENSE:
    return "dense";
  default:
    return "of no kind";
  }
}

static data::ColumnKind kindOf(const Feature &feature) {
  return feature.has_single() ? data::SINGLE : feature.has_multi() ? data::MULTI : data::DENSE;
}

void Resolver::lookUp(const std::string &path, const std::string &table, const data::ColumnInfo &column) {
  const data::VocabularyInfo *vocabulary = findNamed(dataset.vocabularies(), column.vocabulary());
  if (!vocabulary) {
    report.error(path, "column \"" + column.name() + "\" has vocabulary \"" + column.vocabulary() + "\", which " +
                           schema + " does not list; import the data again");
    return;
  }
  Need &need = needs[table];
  if (need.feature.empty())
    need = {vocabulary->rows(), vocabulary->name(), path};
  else if (need.vocabulary != vocabulary->name())
    report.error(path, "shares table \"" + table + "\" with " + need.feature + ", but column \"" + column.name() +
                           "\" has vocabulary \"" + vocabulary->name() + "\" and that one \"" + need.vocabulary +
                           "\"; give them tables of their own, or import both columns with one vocabulary");
}

void Resolver::dense(const std::string &path, Dense &dense, const data::ColumnInfo &column) {
  uint32_t width = std::max(column.width(), 1u);
  if (dense.has_width() && dense.width() != width)
    report.error(path + ".width", "found " + std::to_string(dense.width()) + "; column \"" + column.name() + "\" of " +
                                      schema + " has width " + std::to_string(width));
  dense.set_width(width);
}

void Resolver::feature(const std::string &path, Feature &feature, const data::EntityInfo &entity) {
  const data::ColumnInfo *column = findNamed(entity.columns(), feature.column());
  if (!column) {
    report.error(spec.isWritten(path + ".column") ? path + ".column" : path + ".name",
                 "entity \"" + entity.name() + "\" of " + schema + " has no column \"" + feature.column() + "\"" +
                     didYouMean(feature.column(), namesOf(entity.columns())));
    return;
  }
  if (column->kind() != kindOf(feature)) {
    report.error(path + "." + kindText(kindOf(feature)), "column \"" + column->name() + "\" of " + schema + " is " +
                                                             kindText(column->kind()) + ", the feature is " +
                                                             kindText(kindOf(feature)));
    return;
  }
  if (feature.has_dense())
    return dense(path + ".dense", *feature.mutable_dense(), *column);
  if (feature.has_single())
    return lookUp(path + ".single.table", feature.single().table(), *column);
  Multi &multi = *feature.mutable_multi();
  lookUp(path + ".multi.table", multi.table(), *column);
  if (multi.max_values() == 0)
    multi.set_max_values(std::max(column->longest(), 1u));
  else if (multi.max_values() < column->longest())
    report.error(path + ".multi.max_values", "found " + std::to_string(multi.max_values()) + "; the longest row of " +
                                                 "column \"" + column->name() + "\" has " +
                                                 std::to_string(column->longest()) + " values");
}

void Resolver::tables() {
  for (int i = 0; i < model.tables_size(); ++i) {
    Table &table = *model.mutable_tables(i);
    auto need = needs.find(table.name());
    uint32_t rows = std::max(need == needs.end() ? 1u : need->second.rows, 1u);
    if (table.rows() == 0)
      table.set_rows(rows);
    else if (table.rows() < rows)
      report.error(element("tables", i) + ".rows", "found " + std::to_string(table.rows()) + "; vocabulary \"" +
                                                       need->second.vocabulary + "\" has " + std::to_string(rows) +
                                                       " rows");
  }
}

void Resolver::pairs() {
  bool first = true;
  const data::PairInfo *train = nullptr;
  bool validation = false;
  for (const data::PairInfo &info : dataset.pairs()) {
    if (info.split() == "train")
      train = &info;
    validation |= info.split() == "validation" && info.rows() > 0;
  }
  for (int i = 0; i < model.losses_size(); ++i) {
    if (!model.losses(i).has_in_batch_softmax())
      continue;
    const InBatchSoftmax &loss = model.losses(i).in_batch_softmax();
    std::string path = element("losses", i) + ".in_batch_softmax";
    for (bool query : {true, false}) {
      const Tower *tower = findNamed(model.towers(), query ? loss.query() : loss.item());
      const std::string &expected = query ? dataset.query_entity() : dataset.item_entity();
      if (first && tower && tower->entity() != expected)
        report.error(path + (query ? ".query" : ".item"), "is a tower over entity \"" + tower->entity() + "\"; the " +
                                                              (query ? "queries" : "items") + " of the pairs of " +
                                                              schema + " are of entity \"" + expected + "\"");
    }
    first = false; // of the others the spec's check has said that they agree
    if (loss.pair_weights() == FROM_DATA && train && !train->weighted())
      report.error(path + ".pair_weights", "found FROM_DATA; the training pairs of " + schema + " have no weights");
  }
  uint32_t rows = train ? train->rows() : 0;
  if (rows < model.training().batch())
    report.error("training.batch", "a batch is " + std::to_string(model.training().batch()) + " pairs, and " + schema +
                                       " has " + std::to_string(rows) + " for training");
  if (model.training().validation().patience() > 0 && !validation)
    report.error("training.validation.patience", "found " + std::to_string(model.training().validation().patience()) +
                                                     "; " + schema + " has no validation pairs");
}

void Resolver::masks() {
  for (int i = 0; i < model.losses_size(); ++i) {
    const Loss &loss = model.losses(i);
    bool softmax = loss.has_in_batch_softmax();
    const Augmentation &augmentation =
        softmax ? loss.in_batch_softmax().augmentation() : loss.contrastive().augmentation();
    const Tower *tower =
        findNamed(model.towers(), softmax ? loss.in_batch_softmax().item() : loss.contrastive().tower());
    if (augmentation.mask() != CORRELATED || !tower)
      continue;
    std::filesystem::path file = std::filesystem::path(folder) / tower->entity() / "mi.json";
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored))
      report.error(element("losses", i) + (softmax ? ".in_batch_softmax" : ".contrastive") + ".augmentation.mask",
                   "found CORRELATED, which needs the mutual information of features in " + file.string() +
                       "; run `towerc data mi " + folder + "` first");
  }
}

void Resolver::run() {
  for (int e = 0; e < model.entities_size(); ++e) {
    Entity &entity = *model.mutable_entities(e);
    std::string path = element("entities", e);
    const data::EntityInfo *info = findNamed(dataset.entities(), entity.name());
    if (!info) {
      report.error(path + ".name", "there is no entity \"" + entity.name() + "\" in " + schema +
                                       didYouMean(entity.name(), namesOf(dataset.entities())));
      continue;
    }
    for (int f = 0; f < entity.features_size(); ++f)
      feature(element(path + ".features", f), *entity.mutable_features(f), *info);
  }
  tables();
  pairs();
  masks();
}

void resolveWithData(Spec &spec, const data::Dataset &dataset, const std::string &folder,
                     SpecDiagnostics &diagnostics) {
  Resolver(spec, dataset, folder, diagnostics).run();
}

void resolveWithoutData(Spec &spec, SpecDiagnostics &diagnostics) {
  SpecReporter report(spec, diagnostics);
  std::set<std::string> used;
  for (int e = 0; e < spec.model.entities_size(); ++e) {
    Entity &entity = *spec.model.mutable_entities(e);
    for (int f = 0; f < entity.features_size(); ++f) {
      Feature &feature = *entity.mutable_features(f);
      if (feature.has_single() || feature.has_multi())
        used.insert(feature.has_single() ? feature.single().table() : feature.multi().table());
      if (feature.has_dense() && !feature.dense().has_width())
        feature.mutable_dense()->set_width(1);
      if (feature.has_multi() && feature.multi().max_values() == 0)
        report.error(element(element("entities", e) + ".features", f) + ".multi.max_values",
                     "is missing; give it, or pass --data DIR to take the longest row there");
    }
  }
  for (int t = 0; t < spec.model.tables_size(); ++t) {
    Table &table = *spec.model.mutable_tables(t);
    if (table.rows() == 0 && used.count(table.name()))
      report.error(element("tables", t) + ".rows",
                   "is missing; give it, or pass --data DIR to take the vocabulary's there");
    else if (table.rows() == 0)
      table.set_rows(1);
  }
}

} // namespace tower
