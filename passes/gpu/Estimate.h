// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Numbers that a kernel computes with, as they are over all of its threads: what a loop's trips and a branch's share
// follow from.
#ifndef TOWER_PASSES_GPU_ESTIMATE_H
#define TOWER_PASSES_GPU_ESTIMATE_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <optional>

namespace tower {

/// The integers of a value over the threads that come here, taken as evenly spread.
struct Spread {
  double low = 0, high = 0;
  bool known = false;
  bool inLanes = false; ///< Lanes of a warp have different ones.

  static Spread exactly(double value) { return {value, value, true, false}; }
  static Spread unknown(bool inLanes) { return {0, 0, false, inLanes}; }
  bool isOne() const { return known && low == high; }
  double mean() const { return (low + high) / 2; }
};

class Estimate {
public:
  Estimate(mlir::gpu::GPUFuncOp kernel, int64_t blocks, int64_t warps);

  Spread of(mlir::Value value);
  /// Lanes of a warp that are here.
  double lanes() const { return lane.high - lane.low + 1; }
  /// The share of threads for which a condition holds; nothing if data decide.
  std::optional<double> share(mlir::Value condition);
  /// Runs `body` with what is known where the condition holds.
  void where(mlir::Value condition, llvm::function_ref<void()> body);
  /// Trips of a thread, on average; `body` runs with the loop's variable known.
  void loop(mlir::scf::ForOp op, llvm::function_ref<void(double trips)> body);

private:
  using Known = llvm::DenseMap<mlir::Value, Spread>;

  Spread compute(mlir::Value value);
  Spread arithmetic(mlir::Operation *op);
  void narrow(mlir::Value condition);
  double trips(mlir::scf::ForOp op);

  int64_t blocks, warps;
  Known fixed;                                 ///< What regions and conditions say.
  Known found;                                 ///< What follows from it.
  llvm::DenseMap<mlir::Value, double> typical; ///< Of numbers that are sizes of parts of memory.
  Spread block;                                ///< Of gpu.block_id, here.
  Spread warp;                                 ///< Of gpu.thread_id y, here.
  Spread lane{0, 31, true, true};              ///< Of gpu.thread_id x, here.
};

} // namespace tower

#endif
