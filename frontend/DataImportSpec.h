// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schema that a user hands to `towerc data import`: read, checked, and completed with its defaults.
#ifndef TOWERC_FRONTEND_DATAIMPORTSPEC_H
#define TOWERC_FRONTEND_DATAIMPORTSPEC_H

#include "frontend/SpecText.h"
#include "frontend/data.pb.h"

#include <optional>
#include <string>

namespace tower {

struct ImportSpec {
  /// Every default is filled in: `column`, `vocabulary`, `separator`, `width`, `folds`; every vocabulary that a column
  /// names is listed.
  data::Import import;
  /// The folder that the files in it are relative to; "" or ends in "/".
  std::string folder;
  /// Where each part is written, for messages about files that do not fit.
  SpecPlaces places;
};

/// Read the text format at `path`. Nothing is returned when errors were added.
std::optional<ImportSpec> readImportSpec(const std::string &path, SpecDiagnostics &diagnostics);

/// The same of a text; `path` names it in messages and says what its files are relative to.
std::optional<ImportSpec> parseImportSpec(const std::string &path, const std::string &text,
                                          SpecDiagnostics &diagnostics);

} // namespace tower

#endif // TOWERC_FRONTEND_DATAIMPORTSPEC_H
