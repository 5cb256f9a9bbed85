// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// schema.json.
#include "runtime/Schema.h"

#include "runtime/Json.h"

#include <algorithm>

using namespace tower::rt;

namespace {

/// A name that is also a file's.
std::string fileName(const JsonView &view, const char *key) {
  std::string name = view.text(key);
  if (name.empty() || name[0] == '.' || name.find_first_of("/\n") != std::string::npos)
    view.field(key).fail("'" + name + "' cannot name a file");
  return name;
}

/// A count that row numbers of 32 bits can reach.
int64_t rowCount(const JsonView &view, const char *key) {
  int64_t rows = view.integer(key, 0);
  if (rows < 0 || rows > INT32_MAX)
    view.field(key).fail(std::to_string(rows) + " is not in [0, 2^31)");
  return rows;
}

ColumnSchema parseColumn(const JsonView &view, const DatasetSchema &schema) {
  ColumnSchema column;
  column.name = fileName(view, "name");
  std::string kind = view.text("kind", "");
  if (kind == "SINGLE" || kind == "MULTI") {
    column.kind = kind == "SINGLE" ? ColumnKind::Single : ColumnKind::Multi;
    column.vocabulary = view.text("vocabulary", "");
    if (!schema.vocabularies.contains(column.vocabulary))
      view.fail("column '" + column.name + "' has no vocabulary: there is none named '" + column.vocabulary + "'");
    column.longest = rowCount(view, "longest");
    column.total = view.integer("total", 0);
    if (column.total < 0)
      view.field("total").fail("is negative");
  } else if (kind == "DENSE") {
    column.kind = ColumnKind::Dense;
    column.width = rowCount(view, "width");
    if (column.width == 0)
      view.fail("dense column '" + column.name + "' has no width");
  } else {
    view.fail("column '" + column.name + "' has kind '" + kind + "'; SINGLE, MULTI and DENSE are known");
  }
  return column;
}

} // namespace

DatasetSchema tower::rt::parseSchema(std::string_view json, const std::string &path) {
  Json document = parseJson(json, path);
  JsonView root(document, path);
  DatasetSchema schema;
  for (const JsonView &view : root.list("vocabularies"))
    schema.vocabularies[fileName(view, "name")] = rowCount(view, "rows");
  for (const JsonView &view : root.list("entities")) {
    EntitySchema entity;
    entity.name = fileName(view, "name");
    entity.rows = rowCount(view, "rows");
    for (const JsonView &column : view.list("columns"))
      entity.columns.push_back(parseColumn(column, schema));
    schema.entities.push_back(std::move(entity));
  }
  for (const JsonView &view : root.list("pairs")) {
    PairSchema pairs;
    pairs.split = fileName(view, "split");
    pairs.rows = rowCount(view, "rows");
    pairs.weighted = view.flag("weighted", false);
    pairs.timed = view.flag("timed", false);
    schema.pairs.push_back(std::move(pairs));
  }
  schema.queryEntity = root.text("query_entity");
  schema.itemEntity = root.text("item_entity");
  for (const char *key : {"query_entity", "item_entity"})
    if (std::none_of(schema.entities.begin(), schema.entities.end(),
                     [&](const EntitySchema &entity) { return entity.name == root.text(key); }))
      root.field(key).fail("there is no entity named '" + root.text(key) + "'");
  return schema;
}

std::vector<std::string> DatasetSchema::files() const {
  std::vector<std::string> names = {"schema.json"};
  for (const auto &[name, rows] : vocabularies)
    names.push_back("vocab/" + name + ".txt");
  for (const EntitySchema &entity : entities) {
    names.push_back(entity.name + "/keys.txt");
    for (const ColumnSchema &column : entity.columns) {
      std::string stem = entity.name + "/" + column.name;
      if (column.kind == ColumnKind::Multi)
        names.insert(names.end(), {stem + ".values.npy", stem + ".offsets.npy"});
      else
        names.push_back(stem + ".npy");
    }
  }
  for (const PairSchema &split : pairs) {
    std::string stem = "pairs/" + split.split;
    names.insert(names.end(), {stem + ".query.npy", stem + ".item.npy"});
    if (split.weighted)
      names.push_back(stem + ".weight.npy");
    if (split.timed)
      names.push_back(stem + ".time.npy");
  }
  return names;
}
