// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that towerc writes. Errors go to standard error.
#ifndef TOWERC_FRONTEND_OUTPUTFILE_H
#define TOWERC_FRONTEND_OUTPUTFILE_H

#include "mlir/Support/LLVM.h"
#include "llvm/Support/raw_ostream.h"

namespace tower {

/// Writes a file, which appears under its name only when it is whole; "-" is standard output.
mlir::LogicalResult writeOutput(llvm::StringRef path,
                                llvm::function_ref<mlir::LogicalResult(llvm::raw_pwrite_stream &)> writer);
mlir::LogicalResult writeOutput(llvm::StringRef path, llvm::StringRef bytes);

/// Whether a file could be written: said before minutes of work, and in better words than the linker's.
mlir::LogicalResult checkOutput(llvm::StringRef path);

} // namespace tower

#endif
