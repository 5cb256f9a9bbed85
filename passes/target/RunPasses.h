// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM's passes over a module, for any target.
#ifndef TOWER_PASSES_TARGET_RUNPASSES_H
#define TOWER_PASSES_TARGET_RUNPASSES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace tower {

/// Runs a textual pipeline, as `opt -passes` takes one, with the target's cost tables.
llvm::Error runPasses(llvm::Module &module, llvm::TargetMachine &machine, llvm::StringRef pipeline);

} // namespace tower

#endif
