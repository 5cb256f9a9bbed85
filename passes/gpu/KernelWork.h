// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the kernels of an entry function do, counted on their ops: bytes, operations, and where they come from.
#ifndef TOWER_PASSES_GPU_KERNELWORK_H
#define TOWER_PASSES_GPU_KERNELWORK_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>
#include <vector>

namespace tower {

/// Bytes of a GPU's memory, and floating-point operations by the unit that does them: a multiply-add is two.
struct GpuWork {
  double read = 0, written = 0;
  double fp32 = 0, tf32 = 0, bf16 = 0;

  double bytes() const { return read + written; }
  double operations() const { return fp32 + tf32 + bf16; }
  GpuWork &operator+=(const GpuWork &more);
};

/// One launch, or several of the same kernel.
struct KernelWork {
  std::string kernel;
  int64_t times = 1; ///< In a step.
  int64_t blocks = 1, warps = 1, sharedBytes = 0;
  /// How often a warp waits for memory, one time after the other: what a block of ops asks for it asks for at once, and
  /// a loop's trips come after each other. Asynchronous copies are not waited for here.
  double waits = 0;
  GpuWork work; ///< Of one launch.

  /// An op of the dataflow and its place in the spec, with what it adds to `work`.
  struct Part {
    std::string op, place;
    GpuWork work;
  };
  std::vector<Part> parts;
};

struct DeviceStep {
  std::vector<KernelWork> kernels; ///< In the order of their launches.
  int64_t copies = 0;              ///< From the host, in a step.
  GpuWork compulsory;              ///< Bytes of the function's own operands, each read and written once.

  int64_t launches() const;
  GpuWork total() const;
};

/// What a GPU does in a second, as its maker publishes it: bytes of memory, and floating-point operations of CUDA
/// cores, and of tensor cores on dense operands.
struct GpuRates {
  const char *name;
  double bytes, fp32, tf32, bf16;
};
inline constexpr GpuRates kGpus[] = {{"H100", 3.35e12, 66.9e12, 494.7e12, 989.4e12},
                                     {"A100", 2.039e12, 19.5e12, 156e12, 312e12}};
/// A launch in a graph.
inline constexpr double kLaunchSeconds = 2e-6;
/// Products of TF32 that make one of fp32: each operand is a sum of two, and the product of their small parts is left
/// out.
inline constexpr double kTf32Products = 3;

/// The longer of what memory and operations take; operations of several units come one after the other.
double secondsOf(const GpuWork &work, const GpuRates &rates);
/// Whether operations take longer than memory.
bool isBoundByOperations(const GpuWork &work, const GpuRates &rates);

/// Trips of a loop whose length no type, attribute or grid tells: values of a feature, probes of a table.
inline constexpr double kUnknownTrips = 4;

/// Counts what the launches of a function behind `tower-kernel-phase` do. A byte counts once for a kernel, however
/// often it is read there; what depends on data counts with what is typical: counted rows with kTypicalShare of their
/// bound, masked features half of the time, other branches as taken.
DeviceStep workOfKernels(mlir::func::FuncOp function);

/// Operations of the products that a function's dataflow needs, behind all optimizations, on the units that do them
/// best at the precision that the spec asks for.
GpuWork necessaryOperations(mlir::func::FuncOp function);

} // namespace tower

#endif
