// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a compiled model exports.
#ifndef TOWER_PASSES_ENTRYPOINTS_H
#define TOWER_PASSES_ENTRYPOINTS_H

#include "mlir/IR/BuiltinOps.h"

namespace tower {

/// Kernels in a form that a GPU takes; `sm` as in tower_image.
struct Image {
  int sm;
  llvm::StringRef data;
};

/// Adds the exported global `tower_program` (runtime/tower_abi.h) to a module after `tower-make-entry-points`: magic,
/// version, the manifest, and the entries in the module's order. Everything else becomes internal. A module for several
/// targets has the entries of the first, then those of the next (joinModules), those of a GPU's program last.
void attachProgram(mlir::ModuleOp module, llvm::StringRef manifest, llvm::ArrayRef<Image> images = {});

/// The functions that become entry points, in the order of the program's list: those that were planned.
llvm::SmallVector<mlir::StringRef> entryNames(mlir::ModuleOp module);

} // namespace tower

#endif
