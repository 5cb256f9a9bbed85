// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A dataset's folder, as data.proto lays it out.
#ifndef TOWERC_FRONTEND_DATASETFOLDER_H
#define TOWERC_FRONTEND_DATASETFOLDER_H

#include "frontend/DataImport.h"

#include <iosfwd>

namespace tower {

/// Write a dataset to `folder`: to a temporary folder beside it, which takes its place at the end. A dataset that is
/// there already is replaced; anything else is left alone. Returns an error's text, or "".
std::string writeDataset(const Imported &imported, const std::string &folder);

/// The schema of an imported dataset.
data::Dataset describe(const Imported &imported);

/// Print rows, vocabularies, shares of missing values, pairs, and what the most popular items draw.
void printSummary(const Imported &imported, std::ostream &out);

} // namespace tower

#endif // TOWERC_FRONTEND_DATASETFOLDER_H
