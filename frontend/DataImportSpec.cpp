// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading and checking an import schema. Each check names the place of the field in the file.
#include "frontend/DataImportSpec.h"
#include "frontend/Suggest.h"

#include <algorithm>
#include <set>

using namespace tower;

namespace {

class Checker {
public:
  Checker(ImportSpec &spec, SpecDiagnostics &diagnostics)
      : places(spec.places), import(spec.import), diagnostics(diagnostics) {}
  void check();

private:
  void error(const std::string &path, const std::string &what) {
    if (!places.isSpoiled(path)) // then it was reported already
      diagnostics.error(places.valueAt(path), path + ": " + what);
  }
  bool checkName(const std::string &path, const std::string &name);
  void checkRequired(const std::string &path, const std::string &value, const std::string &what) {
    if (value.empty())
      error(path, "missing; " + what);
  }
  void checkEntity(const std::string &path, data::EntityTable &entity);
  void checkColumn(const std::string &path, data::Column &column);
  void useVocabulary(const std::string &path, std::string &name, const std::string &columnName);
  void checkPairs(const std::string &path, data::PairTable &pairs);
  void checkSplit(const std::string &path, data::Split &split, bool timed);

  const SpecPlaces &places;
  data::Import &import;
  SpecDiagnostics &diagnostics;
  std::set<std::string> vocabularies, usedVocabularies;
};

} // namespace

/// Names become names of files.
bool Checker::checkName(const std::string &path, const std::string &name) {
  bool good = !name.empty();
  for (char c : name)
    good &= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  if (!good)
    error(path, "found \"" + name + "\"; a name consists of letters, digits, - and _");
  return good;
}

void Checker::useVocabulary(const std::string &path, std::string &name, const std::string &columnName) {
  if (name.empty()) {
    name = columnName;
    if (vocabularies.insert(name).second)
      import.add_vocabularies()->set_name(name);
  } else if (!vocabularies.count(name)) {
    error(path, "no vocabulary is called \"" + name + "\"; add vocabularies { name: \"" + name +
                    "\" } or leave the field out for one of the column's own");
  }
  usedVocabularies.insert(name);
}

void Checker::checkColumn(const std::string &path, data::Column &column) {
  if (column.column().empty())
    column.set_column(column.name());
  switch (column.kind_case()) {
  case data::Column::kSingle:
    useVocabulary(path + ".single.vocabulary", *column.mutable_single()->mutable_vocabulary(), column.name());
    return;
  case data::Column::kMulti:
    useVocabulary(path + ".multi.vocabulary", *column.mutable_multi()->mutable_vocabulary(), column.name());
    if (column.multi().separator().empty())
      column.mutable_multi()->set_separator(" ");
    return;
  case data::Column::kDense:
    if (column.dense().width() == 0)
      column.mutable_dense()->set_width(1);
    if (column.dense().width() > 65536)
      error(path + ".dense.width", "found " + std::to_string(column.dense().width()) + "; 1 to 65536 is allowed");
    if (column.dense().separator().empty())
      column.mutable_dense()->set_separator(" ");
    return;
  case data::Column::KIND_NOT_SET:
    error(path, "the column has no kind; add single {}, multi {} or dense {}");
  }
}

void Checker::checkEntity(const std::string &path, data::EntityTable &entity) {
  if (checkName(path + ".name", entity.name()) && (entity.name() == "pairs" || entity.name() == "vocab"))
    error(path + ".name", "found \"" + entity.name() + "\", a folder that every dataset has; choose another name");
  checkRequired(path + ".file", entity.file(), "name a .tsv, .csv or .tfrecord file");
  checkRequired(path + ".key", entity.key(), "name the column that identifies a row");
  std::set<std::string> names;
  for (int i = 0; i < entity.columns_size(); ++i) {
    data::Column &column = *entity.mutable_columns(i);
    std::string columnPath = path + ".columns[" + std::to_string(i) + "]";
    if (!checkName(columnPath + ".name", column.name()))
      continue;
    if (!names.insert(column.name()).second)
      error(columnPath + ".name", "\"" + column.name() + "\" is the name of an earlier column; choose another");
    checkColumn(columnPath, column);
  }
}

void Checker::checkSplit(const std::string &path, data::Split &split, bool timed) {
  switch (split.by_case()) {
  case data::Split::kHash: {
    data::HashSplit &hash = *split.mutable_hash();
    checkRequired(path + ".hash.column", hash.column(), "name a column of the pair file or of the query's file");
    if (hash.folds() == 0)
      hash.set_folds(10);
    std::set<uint32_t> used;
    auto checkFolds = [&](const google::protobuf::RepeatedField<uint32_t> &folds, const std::string &name) {
      for (int i = 0; i < folds.size(); ++i) {
        std::string foldPath = path + ".hash." + name + "[" + std::to_string(i) + "]";
        if (folds[i] >= hash.folds())
          error(foldPath,
                "found " + std::to_string(folds[i]) + "; folds are numbered 0 to " + std::to_string(hash.folds() - 1));
        else if (!used.insert(folds[i]).second)
          error(foldPath, "fold " + std::to_string(folds[i]) + " is used twice; use each for one split");
      }
    };
    checkFolds(hash.test(), "test");
    checkFolds(hash.validation(), "validation");
    if (used.size() >= hash.folds())
      error(path + ".hash", "no fold is left to train on; raise folds or use fewer for test and validation");
    return;
  }
  case data::Split::kTime:
    if (!timed)
      error(path + ".time", "there is no time to split by; name the time column in pairs.time");
    if (!(split.time().validation_from() <= split.time().test_from()))
      error(path + ".time", "validation_from must not be later than test_from; exchange them");
    return;
  case data::Split::kColumn:
    checkRequired(path + ".column", split.column(), "name a column that holds train, validation or test");
    return;
  case data::Split::BY_NOT_SET:
    return;
  }
}

void Checker::checkPairs(const std::string &path, data::PairTable &pairs) {
  checkRequired(path + ".file", pairs.file(), "name a .tsv, .csv or .tfrecord file");
  checkRequired(path + ".query", pairs.query(), "name the column that holds the query's key");
  checkRequired(path + ".item", pairs.item(), "name the column that holds the item's key");
  auto checkReference = [&](const std::string &fieldPath, const std::string &name) {
    std::vector<std::string> names;
    for (const data::EntityTable &entity : import.entities())
      names.push_back(entity.name());
    if (std::find(names.begin(), names.end(), name) == names.end())
      error(fieldPath, "no entity is called \"" + name + "\"" + didYouMean(name, names));
  };
  checkReference(path + ".query_entity", pairs.query_entity());
  checkReference(path + ".item_entity", pairs.item_entity());
  checkSplit(path + ".split", *pairs.mutable_split(), !pairs.time().empty());
}

void Checker::check() {
  for (int i = 0; i < import.vocabularies_size(); ++i) {
    std::string path = "vocabularies[" + std::to_string(i) + "].name";
    const std::string &name = import.vocabularies(i).name();
    if (checkName(path, name) && !vocabularies.insert(name).second)
      error(path, "\"" + name + "\" is the name of an earlier vocabulary; choose another");
  }
  if (import.entities_size() == 0)
    error("entities", "missing; describe at least one file of queries or items");
  std::set<std::string> entities;
  for (int i = 0; i < import.entities_size(); ++i) {
    std::string path = "entities[" + std::to_string(i) + "]";
    if (!entities.insert(import.entities(i).name()).second)
      error(path + ".name", "\"" + import.entities(i).name() + "\" is the name of an earlier entity; choose another");
    checkEntity(path, *import.mutable_entities(i));
  }
  for (int i = 0; i < import.vocabularies_size(); ++i)
    if (!usedVocabularies.count(import.vocabularies(i).name()))
      error("vocabularies[" + std::to_string(i) + "]", "no column uses it; remove it or name it in a column");
  if (!import.has_pairs())
    error("pairs", "missing; describe the file of positive pairs");
  else
    checkPairs("pairs", *import.mutable_pairs());
}

std::optional<ImportSpec> tower::parseImportSpec(const std::string &path, const std::string &text,
                                                 SpecDiagnostics &diagnostics) {
  ImportSpec spec{{}, path.substr(0, path.rfind('/') + 1), SpecPlaces(path)};
  int before = diagnostics.numErrors();
  diagnostics.addSource(path, text);
  if (!parseSpecText(path, text, spec.import, spec.places, diagnostics))
    return std::nullopt;
  Checker(spec, diagnostics).check();
  if (diagnostics.numErrors() != before)
    return std::nullopt;
  return spec;
}

std::optional<ImportSpec> tower::readImportSpec(const std::string &path, SpecDiagnostics &diagnostics) {
  std::optional<std::string> text = readTextFile(path, diagnostics);
  return text ? parseImportSpec(path, *text, diagnostics) : std::nullopt;
}
