// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is known of a row gradient before a step runs.
#ifndef DIALECT_ROWGRADIENTS_H
#define DIALECT_ROWGRADIENTS_H

#include "mlir/IR/Value.h"

namespace tower {

/// The most contributions that lookups and merges make to a row gradient. One that comes from elsewhere counts with the
/// rows of its table.
int64_t mostContributions(mlir::Value gradient);

} // namespace tower

#endif
