// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How an optimization says what it decided about an op: MLIR's remarks, in the pass's category, with what the decision
// costs and saves. A user sees them with `towerc --explain`.
#ifndef TOWER_PASSES_DECISION_H
#define TOWER_PASSES_DECISION_H

#include "mlir/IR/Operation.h"

namespace tower {

/// Work of one step, estimated: floating-point operations, and bytes read and written.
struct Work {
  int64_t operations = 0;
  int64_t bytes = 0;
};

/// Floating-point operations that take the time of moving one byte, on common machines: 85 GFLOP/s and 10 GB/s a core.
inline constexpr int64_t kOperationsPerByte = 8;

/// Names of the metrics of a remark.
inline constexpr llvm::StringLiteral kOperationsBefore = "operations before", kOperationsAfter = "operations after",
                                     kBytesBefore = "bytes before", kBytesAfter = "bytes after";

/// Work in the time of operations, to be compared.
inline int64_t timeOf(Work work) { return work.operations + kOperationsPerByte * work.bytes; }

/// `pass` changed the op: what it did, and the work before and after.
void reportApplied(mlir::Operation *op, llvm::StringRef pass, const llvm::Twine &what, Work before, Work after);

/// `pass` left the op as it is: why.
void reportDeclined(mlir::Operation *op, llvm::StringRef pass, const llvm::Twine &why);

} // namespace tower

#endif
