// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a step's arena will hold, estimated before the step is lowered: one buffer for each value that has memory of its
// own, and scratch. For decisions; `tower-plan-memory` gives the exact size.
#ifndef TOWER_PASSES_STEPMEMORY_H
#define TOWER_PASSES_STEPMEMORY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/PlanMemory.h"
#include "llvm/ADT/DenseMap.h"

namespace tower {

class StepMemory {
public:
  /// Buffers are in use from the op that defines them to the last that reads them, by the ops' places in the block.
  explicit StepMemory(mlir::func::FuncOp step);

  struct Buffer : PlannedBuffer {
    llvm::SmallVector<mlir::Value, 1> values; ///< All that it holds: parts and other names too. Empty for scratch.
  };
  const std::vector<Buffer> &buffers() const { return all; }
  /// The buffers that a value is in: none for what the caller gives, several for a row gradient, which only describes
  /// what tower.sum_rows will read.
  llvm::ArrayRef<unsigned> buffersOf(mlir::Value value) const;

  /// Bytes in use at each op.
  const std::vector<int64_t> &inUse() const { return bytes; }
  /// The arena's size, as the planner would place these buffers.
  int64_t peak() const;

private:
  class Builder;
  std::vector<Buffer> all;
  std::vector<int64_t> bytes;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<unsigned, 1>> homes;
};

} // namespace tower

#endif
