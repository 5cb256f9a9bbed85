// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A dataset's folder (layout: frontend/data.proto), mapped into memory.
#ifndef TOWER_RUNTIME_DATASET_H
#define TOWER_RUNTIME_DATASET_H

#include "runtime/Lines.h"
#include "runtime/Npy.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tower::rt {

struct DatasetSchema;

enum class ColumnKind { Single, Multi, Dense };

/// single, multi or dense.
const char *columnKindName(ColumnKind kind);

/// A feature's column. Only the spans of its kind are set.
struct Column {
  std::string name;
  ColumnKind kind = ColumnKind::Single;
  std::string vocabulary;           // single, multi
  int64_t vocabularyRows = 0;       // single, multi: ids are in [0, vocabularyRows)
  int64_t width = 0;                // dense
  int64_t longest = 0;              // multi: the longest row
  std::string path;                 // for messages: the file with ids, values or numbers
  std::span<const int32_t> ids;     // single: one a row
  std::span<const int64_t> offsets; // multi: rows + 1
  std::span<const int32_t> values;  // multi: row r has values[offsets[r] .. offsets[r + 1])
  std::span<const float> numbers;   // dense: rows x width

  /// A multi-valued row.
  std::span<const int32_t> row(int64_t r) const { return values.subspan(offsets[r], offsets[r + 1] - offsets[r]); }
};

struct Entity {
  std::string name;
  int64_t rows = 0;
  std::vector<Column> columns;

  /// nullptr if there is none.
  const Column *find(std::string_view column) const;
};

/// The pairs of a split: row numbers of the query and the item entity.
struct Pairs {
  std::string split;
  std::span<const int32_t> query, item;
  std::span<const float> weight; // empty: all 1
  std::span<const double> time;  // empty: unknown

  int64_t size() const { return static_cast<int64_t>(query.size()); }
};

/// <entity>/mi.json: mutual information between columns in nats, row by row; the diagonal is not used.
struct MutualInformation {
  std::string path;
  std::vector<std::string> features;                         // names of columns
  std::vector<double> plugin, shuffled, corrected;           // features x features
  std::optional<size_t> find(std::string_view column) const; // index of a column
};

/// An open dataset. Not copied or moved: columns point into it.
class Dataset {
public:
  /// Opens a folder. Every file is checked once, and what was checked is remembered in <folder>/.stamp.json: files of
  /// the same size and time are not read again. `revalidate` reads them all the same. A folder that cannot be written
  /// to stays without a stamp. Throws Error: what, file, row.
  explicit Dataset(const std::string &folder, bool revalidate = false);
  Dataset(const Dataset &) = delete;
  ~Dataset();

  const std::string &folder() const { return path; }
  const std::vector<Entity> &entities() const { return entityList; }
  const std::string &queryEntity() const { return queryName; }
  const std::string &itemEntity() const { return itemName; }

  /// Throws Error if the data has no such entity.
  const Entity &entity(std::string_view name) const;
  /// nullptr if the data has no such split (train, validation or test).
  const Pairs *findPairs(std::string_view split) const;
  /// Throws Error if the data has no such split, or if it is empty.
  const Pairs &pairs(std::string_view split) const;

  /// Read at the first call: not to be raced by threads.
  const Lines &vocabulary(std::string_view name) const;
  const Lines &keys(std::string_view entity) const;
  /// Throws Error, naming `towerc data mi`, if it is not there.
  MutualInformation mutualInformation(std::string_view entity) const;

  /// 16 hexadecimal digits: a hash of the schema, columns, pairs, keys and vocabularies. Mutual information does not
  /// count: it follows from the columns.
  const std::string &fingerprint() const { return print; }

private:
  void map(const DatasetSchema &schema);
  template <class T> std::span<const T> column(const std::string &file, const std::vector<int64_t> &shape);
  void validate() const;

  std::string path;
  std::vector<Entity> entityList;
  std::vector<Pairs> pairList;
  std::string queryName, itemName;
  std::map<std::string, int64_t, std::less<>> vocabularyRows;
  std::vector<std::unique_ptr<NpyFile>> files;
  mutable std::map<std::string, Lines, std::less<>> vocabularyLines, keyLines;
  std::string print;
};

} // namespace tower::rt
#endif
