// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading entities and pairs. Only the preliminary numbers of strings are kept; the text is read once.
#include "frontend/DataImport.h"
#include "frontend/Md5.h"
#include "frontend/RowReader.h"
#include "frontend/Suggest.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace tower;

namespace {

class TableImporter {
public:
  TableImporter(const ImportSpec &spec, DataErrors &errors) : spec(spec), import(spec.import), errors(errors) {}
  std::optional<Imported> run();

private:
  std::unique_ptr<RowReader> openTable(const std::string &file) {
    return RowReader::open(file.starts_with('/') ? file : spec.folder + file, file, errors);
  }
  /// The handle of a column that the spec names at `path`; -1, with an error, if the file has none of that name.
  int findColumn(RowReader &rows, const std::string &name, const std::string &file, const std::string &path);
  void checkNeverSeen(const RowReader &rows, const std::string &file);
  void readEntity(const data::EntityTable &table, const std::string &path, ImportedEntity &entity);
  void readCell(RowReader &rows, int handle, const data::Column &column, ImportedColumn &out);
  bool isText(const RowReader &rows, std::string_view text, const std::string &column);
  int32_t number(RowReader &rows, VocabularyBuilder &vocabulary, std::string_view text, const std::string &column);
  void readPairs();
  int splitOf(RowReader &rows, int column, double time, int32_t query);
  int splitOfFold(uint32_t fold) const;
  void finishColumn(ImportedColumn &column, const data::Column &source);

  const ImportSpec &spec;
  const data::Import &import;
  DataErrors &errors;
  Imported result;
  /// The fold of each query where the split is by a column of the query entity's file.
  bool foldsOfQueries = false;
  std::vector<uint32_t> queryFolds;
};

} // namespace

int TableImporter::findColumn(RowReader &rows, const std::string &name, const std::string &file,
                              const std::string &path) {
  int handle = rows.column(name);
  if (handle < 0)
    errors.add(spec.places.valueAt(path).str(),
               path + ": " + file + " has no column \"" + name + "\"" + didYouMean(name, rows.columnNames()));
  return handle;
}

void TableImporter::checkNeverSeen(const RowReader &rows, const std::string &file) {
  for (const std::string &name : rows.neverSeen())
    errors.add(file, "no record has a feature \"" + name + "\"" + didYouMean(name, rows.columnNames()));
}

/// Strings become lines of keys and vocabularies.
bool TableImporter::isText(const RowReader &rows, std::string_view text, const std::string &column) {
  if (text.find_first_of("\r\n") != std::string_view::npos)
    errors.add(rows.where(), inQuotes(text) + " in column " + inQuotes(column) +
                                 " holds a line break, which a key or a category cannot have; remove it");
  else if (!isUtf8(text))
    errors.add(rows.where(),
               "column " + inQuotes(column) + " is not valid UTF-8; convert the file, for example with iconv");
  else
    return true;
  return false;
}

int32_t TableImporter::number(RowReader &rows, VocabularyBuilder &vocabulary, std::string_view text,
                              const std::string &column) {
  if (!vocabulary.knows(text) && !isText(rows, text, column))
    return -1;
  return vocabulary.count(text);
}

void TableImporter::readCell(RowReader &rows, int handle, const data::Column &column, ImportedColumn &out) {
  switch (column.kind_case()) {
  case data::Column::kSingle: {
    std::string_view value;
    rows.single(handle, value);
    out.ids.push_back(
        value.empty() ? -1 : number(rows, result.vocabularies.at(out.info.vocabulary()), value, column.column()));
    return;
  }
  case data::Column::kMulti: {
    std::vector<std::string_view> values;
    rows.values(handle, column.multi().separator(), values);
    VocabularyBuilder &vocabulary = result.vocabularies.at(out.info.vocabulary());
    for (std::string_view value : values)
      out.ids.push_back(number(rows, vocabulary, value, column.column()));
    out.offsets.push_back(static_cast<int64_t>(out.ids.size()));
    return;
  }
  default: {
    std::vector<double> numbers;
    if (rows.numbers(handle, column.dense().separator(), numbers)) {
      if (numbers.size() != out.info.width())
        errors.add(rows.where(), "column " + inQuotes(column.column()) + " has " + std::to_string(numbers.size()) +
                                     " numbers instead of " + std::to_string(out.info.width()) +
                                     "; fill in what is missing, or correct the column's width");
      for (double value : numbers)
        if (std::fabs(value) > std::numeric_limits<float>::max())
          errors.add(rows.where(),
                     "column " + inQuotes(column.column()) + " holds a number beyond 3.4e38; scale the column");
    }
    numbers.resize(out.info.width());
    for (double value : numbers)
      out.numbers.push_back(static_cast<float>(value));
  }
  }
}

static ImportedColumn startColumn(const data::Column &column) {
  ImportedColumn out;
  out.info.set_name(column.name());
  switch (column.kind_case()) {
  case data::Column::kSingle:
    out.info.set_kind(data::SINGLE);
    out.info.set_vocabulary(column.single().vocabulary());
    break;
  case data::Column::kMulti:
    out.info.set_kind(data::MULTI);
    out.info.set_vocabulary(column.multi().vocabulary());
    out.offsets.push_back(0);
    break;
  default:
    out.info.set_kind(data::DENSE);
    out.info.set_width(column.dense().width());
  }
  return out;
}

void TableImporter::readEntity(const data::EntityTable &table, const std::string &path, ImportedEntity &entity) {
  entity.name = table.name();
  for (const data::Column &column : table.columns())
    entity.columns.push_back(startColumn(column));
  std::unique_ptr<RowReader> rows = openTable(table.file());
  if (!rows)
    return;

  int key = findColumn(*rows, table.key(), table.file(), path + ".key");
  bool complete = key >= 0;
  std::vector<int> handles;
  for (int i = 0; i < table.columns_size(); ++i) {
    std::string columnPath = path + ".columns[" + std::to_string(i) + "]";
    handles.push_back(findColumn(*rows, table.columns(i).column(), table.file(), columnPath));
    complete &= handles.back() >= 0;
  }
  int foldColumn = -1;
  const data::PairTable &pairs = import.pairs();
  if (foldsOfQueries && table.name() == pairs.query_entity()) {
    foldColumn = findColumn(*rows, pairs.split().hash().column(),
                            pairs.file() + " has no such column, and " + table.file(), "pairs.split.hash.column");
    complete &= foldColumn >= 0;
  }
  if (!complete)
    return;

  while (rows->next()) {
    std::string_view name;
    if (!rows->single(key, name))
      continue;
    if (name.empty()) {
      errors.add(rows->where(), "the key " + inQuotes(table.key()) + " is empty; give each row a key of its own");
      continue;
    }
    if (entity.keys.find(name) >= 0) {
      errors.add(rows->where(), "key " + inQuotes(name) + " was in an earlier row; keys must be unique");
      continue;
    }
    if (!isText(*rows, name, table.key()))
      continue;
    if (entity.keys.size() == std::numeric_limits<int32_t>::max()) {
      errors.add(rows->where(), "more than 2147483647 rows; divide the file");
      return;
    }
    entity.keys.insert(name);
    for (size_t i = 0; i < handles.size(); ++i)
      readCell(*rows, handles[i], table.columns(static_cast<int>(i)), entity.columns[i]);
    if (foldColumn >= 0) {
      std::string_view value;
      rows->single(foldColumn, value);
      queryFolds.push_back(md5Fold(value, pairs.split().hash().folds()));
    }
  }
  checkNeverSeen(*rows, table.file());
  if (entity.keys.size() == 0 && !errors.any())
    errors.add(table.file(), "the file has no rows; a dataset needs at least one");
}

int TableImporter::splitOfFold(uint32_t fold) const {
  const data::HashSplit &hash = import.pairs().split().hash();
  auto holds = [&](const auto &folds) { return std::find(folds.begin(), folds.end(), fold) != folds.end(); };
  return holds(hash.test()) ? 2 : holds(hash.validation()) ? 1 : 0;
}

/// The number of the current pair's split, or -1 with an error.
int TableImporter::splitOf(RowReader &rows, int column, double time, int32_t query) {
  const data::Split &split = import.pairs().split();
  std::string_view value;
  switch (split.by_case()) {
  case data::Split::kHash:
    if (foldsOfQueries)
      return splitOfFold(queryFolds[query]);
    if (!rows.single(column, value))
      return -1;
    return splitOfFold(md5Fold(value, split.hash().folds()));
  case data::Split::kTime:
    return time >= split.time().test_from() ? 2 : time >= split.time().validation_from() ? 1 : 0;
  case data::Split::kColumn:
    if (!rows.single(column, value))
      return -1;
    for (size_t i = 0; i < splitNames.size(); ++i)
      if (value == splitNames[i])
        return static_cast<int>(i);
    errors.add(rows.where(), "the split is " + inQuotes(value) + "; it must be train, validation or test");
    return -1;
  case data::Split::BY_NOT_SET:
    return 0;
  }
  return 0;
}

void TableImporter::readPairs() {
  const data::PairTable &table = import.pairs();
  std::unique_ptr<RowReader> rows = openTable(table.file());
  if (!rows)
    return;
  bool complete = true;
  auto find = [&](const std::string &name, const std::string &path) {
    if (name.empty())
      return -1;
    int handle = findColumn(*rows, name, table.file(), path);
    complete &= handle >= 0;
    return handle;
  };
  int query = find(table.query(), "pairs.query"), item = find(table.item(), "pairs.item");
  int weight = find(table.weight(), "pairs.weight"), time = find(table.time(), "pairs.time");
  const data::Split &split = table.split();
  int splitColumn = split.has_hash() && !foldsOfQueries ? find(split.hash().column(), "pairs.split.hash.column")
                    : split.has_hash()                  ? -1
                                                        : find(split.column(), "pairs.split.column");
  if (!complete)
    return;

  auto entityOf = [&](const std::string &name) -> const ImportedEntity & {
    return *std::find_if(result.entities.begin(), result.entities.end(),
                         [&](const ImportedEntity &entity) { return entity.name == name; });
  };
  const ImportedEntity &queries = entityOf(table.query_entity()), &items = entityOf(table.item_entity());
  auto rowOf = [&](int column, const std::string &name, const ImportedEntity &entity) {
    std::string_view key;
    if (!rows->single(column, key))
      return -1;
    int32_t row = entity.keys.find(key);
    if (row < 0)
      errors.add(rows->where(),
                 name + " " + inQuotes(key) + " is no key of " + entity.name + "; add a row for it or remove the pair");
    return row;
  };
  auto numberOf = [&](int column, const std::string &name, double otherwise) {
    std::vector<double> numbers;
    if (column < 0)
      return otherwise;
    if (rows->numbers(column, " ", numbers) && numbers.size() != 1)
      errors.add(rows->where(), "column " + inQuotes(name) + " must hold one number; fill it in");
    return numbers.empty() ? otherwise : numbers[0];
  };

  while (rows->next()) {
    int32_t queryRow = rowOf(query, "query", queries), itemRow = rowOf(item, "item", items);
    double pairWeight = numberOf(weight, table.weight(), 1), pairTime = numberOf(time, table.time(), 0);
    if (pairWeight < 0 || pairWeight > std::numeric_limits<float>::max())
      errors.add(rows->where(),
                 "the weight is " + std::to_string(pairWeight) + "; it must be 0 or more and at most 3.4e38");
    if (queryRow < 0 || itemRow < 0)
      continue;
    int number = splitOf(*rows, splitColumn, pairTime, queryRow);
    if (number < 0)
      continue;
    ImportedPairs &pairs = result.pairs[number];
    pairs.query.push_back(queryRow);
    pairs.item.push_back(itemRow);
    if (weight >= 0)
      pairs.weight.push_back(static_cast<float>(pairWeight));
    if (time >= 0)
      pairs.time.push_back(pairTime);
  }
  checkNeverSeen(*rows, table.file());
  if (!errors.any() && result.pairs[0].query.empty())
    errors.add(table.file(), "no pair is left to train on; check the split");
}

/// Replace preliminary numbers by rows. Multi-valued: values that were not kept are left out.
void TableImporter::finishColumn(ImportedColumn &column, const data::Column &source) {
  if (source.has_dense())
    return;
  const VocabularyBuilder &vocabulary = result.vocabularies.at(column.info.vocabulary());
  if (source.has_single()) {
    for (int32_t &id : column.ids) {
      id = vocabulary.row(id);
      column.missing += id == 0;
    }
    return;
  }
  size_t kept = 0, at = 0;
  int64_t longest = 0;
  for (size_t row = 0; row + 1 < column.offsets.size(); ++row) {
    auto start = static_cast<int64_t>(kept);
    for (auto end = static_cast<size_t>(column.offsets[row + 1]); at < end; ++at)
      if (int32_t id = vocabulary.row(column.ids[at]); id != 0)
        column.ids[kept++] = id;
    column.offsets[row] = start;
    longest = std::max(longest, static_cast<int64_t>(kept) - start);
    column.missing += static_cast<int64_t>(kept) == start;
  }
  column.offsets.back() = static_cast<int64_t>(kept);
  column.ids.resize(kept);
  column.info.set_longest(static_cast<uint32_t>(longest));
  column.info.set_total(static_cast<int64_t>(kept));
}

std::optional<Imported> TableImporter::run() {
  size_t before = errors.all().size();
  const data::PairTable &pairs = import.pairs();
  result.queryEntity = pairs.query_entity();
  result.itemEntity = pairs.item_entity();
  for (const data::Vocabulary &vocabulary : import.vocabularies())
    result.vocabularies.try_emplace(vocabulary.name(), vocabulary.min_count(), vocabulary.max_size());
  if (pairs.split().has_hash()) {
    std::unique_ptr<RowReader> header = openTable(pairs.file());
    if (!header)
      return std::nullopt;
    foldsOfQueries = !header->hasColumn(pairs.split().hash().column());
  }
  result.entities.resize(import.entities_size());
  for (int i = 0; i < import.entities_size(); ++i)
    readEntity(import.entities(i), "entities[" + std::to_string(i) + "]", result.entities[i]);
  // With a broken entity nearly every pair would have an unknown key.
  if (errors.all().size() != before)
    return std::nullopt;
  readPairs();
  if (errors.all().size() != before)
    return std::nullopt;

  for (auto &[name, vocabulary] : result.vocabularies)
    vocabulary.finish();
  for (int i = 0; i < import.entities_size(); ++i)
    for (int j = 0; j < import.entities(i).columns_size(); ++j)
      finishColumn(result.entities[i].columns[j], import.entities(i).columns(j));
  return std::move(result);
}

std::optional<Imported> tower::importTables(const ImportSpec &spec, DataErrors &errors) {
  return TableImporter(spec, errors).run();
}
