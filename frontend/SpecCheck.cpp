// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of names, references, tables, entities and towers.
#include "frontend/SpecSteps.h"
#include "frontend/Suggest.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace tower {

using namespace spec;

std::string numberText(double value) {
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, static_cast<float>(value)).ptr; // every number is a float
  return std::string(buffer, end);
}

void SpecReporter::number(const std::string &path, double value, bool good, const std::string &allowed) {
  if (!good || !std::isfinite(value))
    error(path, "found " + numberText(value) + "; allowed: " + allowed);
}

void SpecReporter::unknown(const std::string &path, const std::string &what, const std::string &name,
                           const std::string &list, const std::vector<std::string> &known) {
  if (!spec.places.namesSpoiled(list)) // the name may be the one that could not be read
    error(path, what + " \"" + name + "\"" + didYouMean(name, known));
}

namespace {

class Checker {
public:
  Checker(const Spec &spec, SpecDiagnostics &diagnostics) : report(spec, diagnostics), spec(spec), model(spec.model) {}

  void run();

private:
  void name(const std::string &path, const std::string &value, const std::string &what);
  template <typename List> void names(const std::string &list, const List &elements, const std::string &what);
  void initializer(const std::string &path, const Initializer &initializer);
  void range(const std::string &path, uint64_t value, uint64_t least, uint64_t most);
  void table(const std::string &path, const Table &table);
  void feature(const std::string &path, const Feature &feature);
  void tableOf(const std::string &path, const std::string &table, const std::string &feature);
  void tower(const std::string &path, const Tower &tower);

  SpecReporter report;
  const Spec &spec;
  const Model &model;
};

} // namespace

void Checker::name(const std::string &path, const std::string &value, const std::string &what) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (value.empty())
    return report.error(path, "is missing; every " + what + " has a name");
  for (char c : value)
    if (!allowed(c))
      return report.error(path, "found \"" + value + "\"; letters, digits, - and _ are allowed");
}

template <typename List> void Checker::names(const std::string &list, const List &elements, const std::string &what) {
  for (int i = 0; i < elements.size(); ++i) {
    std::string path = element(list, i) + ".name";
    const std::string &value = elements.Get(i).name();
    name(path, value, what);
    for (int j = 0; j < i && !value.empty(); ++j)
      if (elements.Get(j).name() == value) {
        report.error(path, "found \"" + value + "\" again; the first one is at " +
                               spec.valuePositionOf(element(list, j) + ".name").str());
        break;
      }
  }
}

void Checker::range(const std::string &path, uint64_t value, uint64_t least, uint64_t most) {
  std::string allowed = std::to_string(least) + " to " + std::to_string(most);
  if (value == 0 && !spec.isWritten(path))
    report.error(path, "is missing; allowed: " + allowed);
  else if (value < least || value > most)
    report.error(path, "found " + std::to_string(value) + "; allowed: " + allowed);
}

void Checker::initializer(const std::string &path, const Initializer &initializer) {
  float width = initializer.kind_case() == Initializer::kNormal    ? initializer.normal()
                : initializer.kind_case() == Initializer::kUniform ? initializer.uniform()
                                                                   : 0;
  report.number(path + (initializer.has_normal() ? ".normal" : ".uniform"), width, width >= 0, "a finite number >= 0");
  if (initializer.has_glorot() && !initializer.glorot())
    report.error(path + ".glorot", "found false; allowed: true, or normal or uniform in its place");
}

void Checker::table(const std::string &path, const Table &table) {
  if (table.rows() > std::numeric_limits<int32_t>::max())
    report.error(path + ".rows", "found " + std::to_string(table.rows()) + "; allowed: 1 to 2147483647");
  range(path + ".dim", table.dim(), 1, 4096);
  initializer(path + ".initializer", table.initializer());
}

void Checker::tableOf(const std::string &path, const std::string &table, const std::string &feature) {
  if (findNamed(model.tables(), table))
    return;
  if (table == feature && !spec.isWritten(path))
    report.unknown(path, "there is no table of the feature's name,", table, "tables", namesOf(model.tables()));
  else
    report.unknown(path, "there is no table", table, "tables", namesOf(model.tables()));
}

void Checker::feature(const std::string &path, const Feature &feature) {
  switch (feature.kind_case()) {
  case Feature::kSingle:
    return tableOf(path + ".single.table", feature.single().table(), feature.name());
  case Feature::kMulti:
    tableOf(path + ".multi.table", feature.multi().table(), feature.name());
    if (feature.multi().max_values() > 1048576)
      range(path + ".multi.max_values", feature.multi().max_values(), 0, 1048576);
    return;
  case Feature::kDense:
    if (feature.dense().has_width())
      range(path + ".dense.width", feature.dense().width(), 1, 65536);
    return;
  case Feature::KIND_NOT_SET:
    for (const char *kind : {".single", ".multi", ".dense"})
      if (spec.places.isSpoiled(path + kind))
        return;
    report.error(path, "is of no kind; single { ... }, multi { ... } or dense { ... } is expected");
  }
}

void Checker::tower(const std::string &path, const Tower &tower) {
  const Entity *entity = findNamed(model.entities(), tower.entity());
  if (tower.entity().empty())
    report.error(path + ".entity", "is missing; allowed: " + alternatives(namesOf(model.entities())));
  else if (!entity)
    report.unknown(path + ".entity", "there is no entity", tower.entity(), "entities", namesOf(model.entities()));
  for (int i = 0; i < tower.features_size(); ++i) {
    std::string at = element(path + ".features", i);
    if (entity && !findNamed(entity->features(), tower.features(i)))
      report.unknown(at, "entity \"" + entity->name() + "\" has no feature", tower.features(i), "entities",
                     namesOf(entity->features()));
    for (int j = 0; j < i && spec.isWritten(at); ++j)
      if (tower.features(j) == tower.features(i)) {
        report.error(at, "found \"" + tower.features(i) + "\" again");
        break;
      }
  }
  if (tower.layers().empty())
    report.error(path + ".layers", "is missing; every tower has one layer or more, for instance layers { units: 64 }");
  for (int i = 0; i < tower.layers_size(); ++i) {
    std::string at = element(path + ".layers", i);
    range(at + ".units", tower.layers(i).units(), 1, 16384);
    initializer(at + ".initializer", tower.layers(i).initializer());
  }
}

void Checker::run() {
  name("name", model.name(), "model");
  names("tables", model.tables(), "table");
  for (int i = 0; i < model.tables_size(); ++i)
    table(element("tables", i), model.tables(i));
  if (model.entities().empty())
    report.error("entities", "is missing; a model has one entity or more");
  names("entities", model.entities(), "entity");
  for (int i = 0; i < model.entities_size(); ++i) {
    const Entity &entity = model.entities(i);
    std::string list = element("entities", i) + ".features";
    if (entity.features().empty())
      report.error(list, "is missing; every entity has one feature or more");
    names(list, entity.features(), "feature");
    for (int j = 0; j < entity.features_size(); ++j)
      feature(element(list, j), entity.features(j));
  }
  if (model.towers().empty())
    report.error("towers", "is missing; a model has one tower or more");
  names("towers", model.towers(), "tower");
  for (int i = 0; i < model.towers_size(); ++i)
    tower(element("towers", i), model.towers(i));
  names("losses", model.losses(), "loss");
}

void warnOfUnusedParts(const Spec &spec, SpecDiagnostics &diagnostics) {
  SpecReporter report(spec, diagnostics);
  const Model &model = spec.model;
  auto tableName = [](const Feature &feature) {
    return feature.has_single() ? feature.single().table() : feature.has_multi() ? feature.multi().table() : "";
  };
  for (int t = 0; t < model.tables_size(); ++t) {
    bool used = false;
    for (const Entity &entity : model.entities())
      for (const Feature &feature : entity.features())
        used |= tableName(feature) == model.tables(t).name();
    if (!used)
      report.warning(element("tables", t), "no feature uses table \"" + model.tables(t).name() + "\"");
  }
  for (int e = 0; e < model.entities_size(); ++e)
    for (int f = 0; f < model.entities(e).features_size(); ++f) {
      const std::string &feature = model.entities(e).features(f).name();
      bool used = false;
      for (const Tower &tower : model.towers())
        if (tower.entity() == model.entities(e).name())
          for (const std::string &other : tower.features())
            used |= other == feature;
      if (!used)
        report.warning(element(element("entities", e) + ".features", f), "no tower uses feature \"" + feature + "\"");
    }
  for (int t = 0; t < model.towers_size(); ++t) {
    const std::string &name = model.towers(t).name();
    bool used = false;
    for (const Loss &loss : model.losses())
      used |= loss.in_batch_softmax().query() == name || loss.in_batch_softmax().item() == name ||
              loss.contrastive().tower() == name || loss.spread_out().tower() == name;
    if (!used)
      report.warning(element("towers", t), "no loss trains tower \"" + name + "\"");
  }
}

void checkSpec(const Spec &spec, SpecDiagnostics &diagnostics) {
  Checker(spec, diagnostics).run();
  checkLosses(spec, diagnostics);
  checkTraining(spec, diagnostics);
}

} // namespace tower
