// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schema that a user hands to `towerc data import`: read, checked, and completed with its defaults.
#ifndef TOWERC_FRONTEND_IMPORTSPEC_H
#define TOWERC_FRONTEND_IMPORTSPEC_H

#include "frontend/DataErrors.h"
#include "frontend/data.pb.h"

#include <map>
#include <optional>
#include <string>

namespace tower {

struct ImportSpec {
  /// Every default is filled in: `column`, `vocabulary`, `separator`, `width`, `folds`; every vocabulary that a column
  /// names is listed.
  data::Import import;
  /// The folder that the files in it are relative to; "" or ends in "/".
  std::string folder;
  /// "file:line:column: path" of what was written, by path such as "entities[0].columns[1]", for messages.
  std::map<std::string, std::string> places;

  /// Where the part at `path` is written, or else the part around it.
  std::string placeOf(const std::string &path) const;
};

/// Read the text format at `path`. Nothing is returned when errors were added.
std::optional<ImportSpec> readImportSpec(const std::string &path, DataErrors &errors);

/// The same of a text; `shown` names it in messages.
std::optional<ImportSpec> parseImportSpec(const std::string &text, const std::string &shown, DataErrors &errors);

} // namespace tower

#endif // TOWERC_FRONTEND_IMPORTSPEC_H
