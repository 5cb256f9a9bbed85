// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a dataset's folder says about itself, and whether a spec fits it.
#ifndef TOWERC_FRONTEND_DATASETSCHEMA_H
#define TOWERC_FRONTEND_DATASETSCHEMA_H

#include "frontend/ModelReader.h"

namespace tower {

/// Reads `folder`/schema.txtpb (message Dataset of data.proto).
std::optional<data::Dataset> readDatasetSchema(const std::string &folder, SpecDiagnostics &diagnostics);

/// Checks that `spec` fits the dataset (entities, columns, kinds, capacities, pairs, files that correlated masks need)
/// and takes from it what the spec leaves open: rows of tables, max_values, widths. Errors are at the spec's places.
void resolveWithData(Spec &spec, const data::Dataset &dataset, const std::string &folder, SpecDiagnostics &diagnostics);

} // namespace tower

#endif // TOWERC_FRONTEND_DATASETSCHEMA_H
