// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The importer's two passes: over the text of a user's files into columns in memory, then over the columns to give each
// value its row in its vocabulary.
#ifndef TOWERC_FRONTEND_DATAIMPORT_H
#define TOWERC_FRONTEND_DATAIMPORT_H

#include "frontend/DataErrors.h"
#include "frontend/DataImportSpec.h"
#include "frontend/VocabularyBuilder.h"

#include <array>
#include <map>
#include <optional>
#include <vector>

namespace tower {

/// A column of an entity; which members are used depends on the kind.
struct ImportedColumn {
  data::ColumnInfo info;
  std::vector<int32_t> ids;     ///< single: rows; multi: values of all rows
  std::vector<int64_t> offsets; ///< multi: rows + 1
  std::vector<float> numbers;   ///< dense: rows x width
  int64_t missing = 0;          ///< rows without a value
};

struct ImportedEntity {
  std::string name;
  StringNumbers keys;
  std::vector<ImportedColumn> columns;
};

/// The pairs of one split.
struct ImportedPairs {
  std::vector<int32_t> query, item;
  std::vector<float> weight; ///< empty without a weight column
  std::vector<double> time;  ///< empty without a time column
};

/// Names of the splits, in the order of Imported::pairs.
inline constexpr std::array<const char *, 3> splitNames = {"train", "validation", "test"};

struct Imported {
  std::map<std::string, VocabularyBuilder> vocabularies;
  std::vector<ImportedEntity> entities;
  std::array<ImportedPairs, 3> pairs;
  std::string queryEntity, itemEntity;
};

/// Read everything that `spec` names. Nothing is returned when errors were added.
std::optional<Imported> importTables(const ImportSpec &spec, DataErrors &errors);

} // namespace tower

#endif // TOWERC_FRONTEND_DATAIMPORT_H
