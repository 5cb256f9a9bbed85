// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Opening a dataset: read the schema, map every file, check the contents unless a stamp says that it was done.
#include "runtime/Dataset.h"

#include "runtime/Error.h"
#include "runtime/Json.h"
#include "runtime/Schema.h"
#include "runtime/Stamp.h"
#include "runtime/Validate.h"

#include <algorithm>

#include <sys/stat.h>

using namespace tower::rt;

const char *tower::rt::columnKindName(ColumnKind kind) {
  static const char *const names[] = {"single", "multi", "dense"};
  return names[static_cast<int>(kind)];
}

const Column *Entity::find(std::string_view column) const {
  auto found = std::find_if(columns.begin(), columns.end(), [&](const Column &c) { return c.name == column; });
  return found == columns.end() ? nullptr : &*found;
}

std::optional<size_t> MutualInformation::find(std::string_view column) const {
  auto found = std::find(features.begin(), features.end(), column);
  if (found == features.end())
    return std::nullopt;
  return static_cast<size_t>(found - features.begin());
}

Dataset::~Dataset() = default;

Dataset::Dataset(const std::string &folder, bool revalidate) : path(folder) {
  while (path.size() > 1 && path.back() == '/')
    path.pop_back();
  std::string schemaPath = path + "/schema.json";
  struct stat status;
  if (::stat(schemaPath.c_str(), &status) != 0)
    throw Error(path + ": is not a dataset: there is no schema.json in it; `towerc data import` makes a dataset");
  DatasetSchema schema = parseSchema(readText(schemaPath), schemaPath);
  Stamp stamp = currentFiles(path, schema.files());
  map(schema);
  if (revalidate || !readStamp(path, stamp)) {
    validate();
    hashFiles(path, stamp);
    writeStamp(path, stamp);
  }
  print = hex(combinedHash(stamp));
}

template <class T> std::span<const T> Dataset::column(const std::string &file, const std::vector<int64_t> &shape) {
  files.push_back(std::make_unique<NpyFile>(path + "/" + file));
  return files.back()->as<T>(shape);
}

void Dataset::map(const DatasetSchema &schema) {
  queryName = schema.queryEntity;
  itemName = schema.itemEntity;
  vocabularyRows = schema.vocabularies;
  for (const EntitySchema &entitySchema : schema.entities) {
    Entity entity{entitySchema.name, entitySchema.rows, {}};
    for (const ColumnSchema &from : entitySchema.columns) {
      std::string stem = entity.name + "/" + from.name;
      Column to;
      to.name = from.name;
      to.kind = from.kind;
      to.vocabulary = from.vocabulary;
      to.vocabularyRows = from.kind == ColumnKind::Dense ? 0 : vocabularyRows.at(from.vocabulary);
      to.width = from.width;
      to.longest = from.longest;
      to.path = path + "/" + stem + (from.kind == ColumnKind::Multi ? ".values.npy" : ".npy");
      if (from.kind == ColumnKind::Single) {
        to.ids = column<int32_t>(stem + ".npy", {entity.rows});
      } else if (from.kind == ColumnKind::Dense) {
        to.numbers = column<float>(stem + ".npy", {entity.rows, from.width});
      } else {
        to.values = column<int32_t>(stem + ".values.npy", {from.total});
        to.offsets = column<int64_t>(stem + ".offsets.npy", {entity.rows + 1});
      }
      entity.columns.push_back(std::move(to));
    }
    entityList.push_back(std::move(entity));
  }
  for (const PairSchema &from : schema.pairs) {
    std::string stem = "pairs/" + from.split;
    Pairs to;
    to.split = from.split;
    to.query = column<int32_t>(stem + ".query.npy", {from.rows});
    to.item = column<int32_t>(stem + ".item.npy", {from.rows});
    if (from.weighted)
      to.weight = column<float>(stem + ".weight.npy", {from.rows});
    if (from.timed)
      to.time = column<double>(stem + ".time.npy", {from.rows});
    pairList.push_back(std::move(to));
  }
}

void Dataset::validate() const {
  for (const auto &[name, rows] : vocabularyRows)
    vocabulary(name);
  for (const Entity &entity : entityList) {
    keys(entity.name);
    for (const Column &column : entity.columns) {
      std::string limit = "rows of vocabulary '" + column.vocabulary + "'";
      if (column.kind == ColumnKind::Single)
        validateIds(column.path, column.ids, column.vocabularyRows, limit);
      else if (column.kind == ColumnKind::Dense)
        validateFinite(column.path, column.numbers, column.width);
      else {
        validateOffsets(path + "/" + entity.name + "/" + column.name + ".offsets.npy", column.offsets,
                        static_cast<int64_t>(column.values.size()), column.longest);
        validateIds(column.path, column.values, column.vocabularyRows, limit);
      }
    }
  }
  for (const Pairs &pairs : pairList) {
    std::string stem = path + "/pairs/" + pairs.split;
    validateIds(stem + ".query.npy", pairs.query, entity(queryName).rows, "rows of entity '" + queryName + "'");
    validateIds(stem + ".item.npy", pairs.item, entity(itemName).rows, "rows of entity '" + itemName + "'");
    validateWeights(stem + ".weight.npy", pairs.weight);
    validateFinite(stem + ".time.npy", pairs.time);
  }
}

const Entity &Dataset::entity(std::string_view name) const {
  for (const Entity &entity : entityList)
    if (entity.name == name)
      return entity;
  throw Error(path + ": has no entity '" + std::string(name) + "'");
}

const Pairs *Dataset::findPairs(std::string_view split) const {
  for (const Pairs &pairs : pairList)
    if (pairs.split == split)
      return &pairs;
  return nullptr;
}

const Pairs &Dataset::pairs(std::string_view split) const {
  const Pairs *found = findPairs(split);
  if (!found || found->size() == 0)
    throw Error(path + ": has no pairs in split '" + std::string(split) + "'");
  return *found;
}

const Lines &Dataset::vocabulary(std::string_view name) const {
  auto rows = vocabularyRows.find(name);
  if (rows == vocabularyRows.end())
    throw Error(path + ": has no vocabulary '" + std::string(name) + "'");
  auto found = vocabularyLines.find(name);
  if (found == vocabularyLines.end())
    found = vocabularyLines.try_emplace(rows->first, path + "/vocab/" + rows->first + ".txt", rows->second).first;
  return found->second;
}

const Lines &Dataset::keys(std::string_view name) const {
  const Entity &owner = entity(name);
  auto found = keyLines.find(name);
  if (found == keyLines.end())
    found = keyLines.try_emplace(owner.name, path + "/" + owner.name + "/keys.txt", owner.rows).first;
  return found->second;
}

MutualInformation Dataset::mutualInformation(std::string_view name) const {
  MutualInformation mi;
  mi.path = path + "/" + entity(name).name + "/mi.json";
  struct stat status;
  if (::stat(mi.path.c_str(), &status) != 0)
    throw Error(mi.path + ": is missing, and correlated masks need it: run `towerc data mi " + path + "`");
  Json document = parseJson(readText(mi.path), mi.path);
  JsonView root(document, mi.path);
  for (const JsonView &feature : root.field("features").elements())
    mi.features.push_back(feature.asText());
  for (auto [key, matrix] :
       {std::pair("plugin", &mi.plugin), std::pair("shuffled", &mi.shuffled), std::pair("corrected", &mi.corrected)}) {
    JsonView view = root.field(key);
    std::vector<JsonView> rows = view.elements();
    bool square = rows.size() == mi.features.size();
    for (const JsonView &row : rows) {
      std::vector<JsonView> cells = row.elements();
      square &= cells.size() == mi.features.size();
      for (const JsonView &cell : cells)
        matrix->push_back(cell.asNumber());
    }
    if (!square)
      view.fail("is not a square with a row for each feature: run `towerc data mi " + path + "` again");
  }
  return mi;
}
