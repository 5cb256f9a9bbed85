// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What one kernel does, counted on its ops.
#ifndef TOWER_PASSES_GPU_KERNELCOUNTER_H
#define TOWER_PASSES_GPU_KERNELCOUNTER_H

#include "passes/gpu/Estimate.h"
#include "passes/gpu/KernelWork.h"
#include "llvm/ADT/MapVector.h"

#include <array>
#include <map>

namespace tower {

/// Bytes of some memory that are read and written.
struct Touched {
  double read = 0, written = 0;
};
using Touches = llvm::SmallMapVector<mlir::Value, Touched, 8>;

/// Memory that `value` is another name of.
mlir::Value rootOf(mlir::Value value);

/// Counts one kernel.
class KernelCounter {
public:
  KernelCounter(mlir::gpu::GPUFuncOp kernel, int64_t blocks, int64_t warps);

  /// Counts all; the waits of the warp that has most.
  double run();

  struct Part {
    GpuWork work;
    Touches touches;
  };
  std::map<std::pair<std::string, std::string>, Part> parts; ///< By an op of the dataflow and its place in the spec.

private:
  double countIn(mlir::Block &block, double threads);
  double count(mlir::Operation *op, double threads);
  void access(mlir::Operation *op, mlir::Value memory, mlir::ValueRange at, mlir::Type elements, bool reads,
              bool writes, double threads);
  void multiply(mlir::Operation *op, std::array<int64_t, 3> shape, bool isTf32, double threads);
  void compute(mlir::Operation *op, double threads);
  Part &partOf(mlir::Operation *op);

  mlir::gpu::GPUFuncOp kernel;
  Estimate estimate;
  double threads;
  llvm::DenseMap<mlir::Location, Part *> known;
};

} // namespace tower

#endif
