// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of matrices in shared memory, brought there by asynchronous copies of all threads of a block.
#ifndef TOWER_PASSES_GPU_SHAREDTILE_H
#define TOWER_PASSES_GPU_SHAREDTILE_H

#include "passes/gpu/TensorCores.h"

namespace tower {

/// Which part of an operand a block has in shared memory: `rows` rows (a right operand's columns) and `depth` of what
/// is summed over. Memory is (row, depth) or (depth, row); shared memory as it is there, each line with a gap behind it
/// that sends to different banks what lanes read together.
class SharedTile {
public:
  /// Of `memory`, of whose rows and depths there are `mostRows` and `mostDepth`.
  SharedTile(lower::Emitter &b, mlir::Value memory, bool depthIsInner, bool isRight, int64_t rows, int64_t depth,
             mlir::Value mostRows, mlir::Value mostDepth);

  /// Elements of shared memory.
  static int64_t floats(int64_t rows, int64_t depth, bool depthIsInner) {
    return depthIsInner ? rows * (depth + kGapOfDepths) : depth * (rows + kGapOfRows);
  }
  int64_t floats() const { return floats(rows, depth, depthIsInner); }

  /// Begins to copy rows from `row` and depths from `at` on to shared[start ..]; zeros for what is behind an edge.
  /// `thread` is one of `threads`.
  void copy(mlir::Value row, mlir::Value at, mlir::Value shared, mlir::Value start, mlir::Value thread,
            int64_t threads);

  Panel panel(mlir::Value shared, mlir::Value start) const {
    return {shared, start, depthIsInner ? depth + kGapOfDepths : 1, depthIsInner ? 1 : rows + kGapOfRows};
  }

private:
  /// Lanes read 8 rows at 4 depths (or 16 rows in pairs): line times 4 (or 8) and 4 (or 8) in a line are all 32 banks.
  static constexpr int64_t kGapOfDepths = 4, kGapOfRows = 8;

  lower::Emitter &b;
  mlir::Value memory;
  bool depthIsInner, isRight;
  int64_t rows, depth;
  mlir::Value mostRows, mostDepth;
};

/// Passes by in two halves of shared memory, `step` of [0, end) at a time: while `body` has one part, the next one is
/// on its way. `copy` begins to copy the part that begins at `at` to `start`; `half` is what it takes. `body` gets what
/// is carried from part to part and returns it. All threads of the block come here together, and in the end none reads
/// any more.
lower::Values inTwoHalves(lower::Emitter &b, mlir::Value end, int64_t step, int64_t half, mlir::ValueRange carried,
                          llvm::function_ref<void(mlir::Value at, mlir::Value start)> copy,
                          llvm::function_ref<lower::Values(mlir::Value at, mlir::Value start, mlir::ValueRange)> body);

} // namespace tower

#endif
