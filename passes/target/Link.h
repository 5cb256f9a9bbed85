// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From an object file to a program, with the system's compiler driver as the linker.
#ifndef TOWER_PASSES_TARGET_LINK_H
#define TOWER_PASSES_TARGET_LINK_H

#include "llvm/Support/LogicalResult.h"
#include "llvm/Support/raw_ostream.h"

namespace tower {

/// Links `object` and the runtime's main program from `runtimeFolder` (libtower_runtime.a, libtower_main.a) into
/// `output`. What is wrong (no c++ on PATH, no runtime, the linker's own words) goes to `errors`; then there is no
/// output.
llvm::LogicalResult linkExecutable(llvm::StringRef object, llvm::StringRef output, llvm::StringRef runtimeFolder,
                                   llvm::raw_ostream &errors);

/// The same into a shared library with the interface of runtime/tower.h.
llvm::LogicalResult linkLibrary(llvm::StringRef object, llvm::StringRef output, llvm::StringRef runtimeFolder,
                                llvm::raw_ostream &errors);

} // namespace tower

#endif
