// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a step costs, op by op, for cost models and reports.
#ifndef TOWER_PASSES_STEPWORK_H
#define TOWER_PASSES_STEPWORK_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Decision.h"

namespace tower {

/// The share of distinct rows in a batch of pairs that cost models assume: of 1,024 targets of the Debian archive 70 %
/// are distinct, of 16,384 42 %.
inline constexpr double kTypicalShare = 0.75;

/// Rows that a value is taken to have: its extent, or the typical share of a #tower.bound.
int64_t typicalRows(mlir::Value value);

/// The share of features that a mask leaves visible, as the op that draws it says.
double visibleShare(mlir::Value mask);

/// Work of one op: operations of its products, and the bytes of its tensors, each read or written once. Tables count
/// with the rows that are looked up. Zero for ops that are no part of a step's dataflow.
Work workOf(mlir::Operation *op);

/// The sum over a function's ops.
Work workOf(mlir::func::FuncOp function);

} // namespace tower

#endif
