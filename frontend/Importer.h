// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a checked spec to the declared model: a module that holds one tower.model.
#ifndef TOWERC_FRONTEND_IMPORTER_H
#define TOWERC_FRONTEND_IMPORTER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace tower {

struct Spec;

/// Says what the spec says, part by part, each op at the line and column of its part. `spec` must come from readSpec,
/// so that there is nothing left to go wrong.
mlir::OwningOpRef<mlir::ModuleOp> importModel(const Spec &spec, mlir::MLIRContext *context);

} // namespace tower

#endif
