// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// schema.json of a dataset's folder: protobuf's JSON of message Dataset in frontend/data.proto.
#ifndef TOWER_RUNTIME_SCHEMA_H
#define TOWER_RUNTIME_SCHEMA_H

#include "runtime/Dataset.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tower::rt {

struct ColumnSchema {
  std::string name;
  ColumnKind kind = ColumnKind::Single;
  std::string vocabulary;
  int64_t width = 0, longest = 0, total = 0;
};

struct EntitySchema {
  std::string name;
  int64_t rows = 0;
  std::vector<ColumnSchema> columns;
};

struct PairSchema {
  std::string split;
  int64_t rows = 0;
  bool weighted = false, timed = false;
};

struct DatasetSchema {
  std::map<std::string, int64_t, std::less<>> vocabularies; // rows by name
  std::vector<EntitySchema> entities;
  std::vector<PairSchema> pairs;
  std::string queryEntity, itemEntity;

  /// Files of the dataset that count as its content, relative to its folder, in a fixed order; schema.json is the
  /// first.
  std::vector<std::string> files() const;
};

/// Fields with default values may be absent. Throws Error: `path`, the field, what is wrong. Names are also checked:
/// they become parts of paths.
DatasetSchema parseSchema(std::string_view json, const std::string &path);

} // namespace tower::rt
#endif
