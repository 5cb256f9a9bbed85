// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One module of the code for several processors.
#ifndef TOWER_PASSES_TARGET_JOINMODULES_H
#define TOWER_PASSES_TARGET_JOINMODULES_H

#include "mlir/IR/BuiltinOps.h"

namespace tower {

/// Moves all of `from`, a module of the LLVM dialect, behind what is in `into`. What `from` defines gets names of its
/// own, which end with `suffix`; what it only declares is declared once.
void joinModules(mlir::ModuleOp into, mlir::ModuleOp from, llvm::StringRef suffix);

} // namespace tower

#endif
