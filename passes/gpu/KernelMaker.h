// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels made of a function's ops, launched where these stood.
#ifndef TOWER_PASSES_GPU_KERNELMAKER_H
#define TOWER_PASSES_GPU_KERNELMAKER_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "passes/gpu/PureOps.h"

namespace tower {

/// What becomes one kernel and stands in a row of ops: one scf.parallel, one product with its epilogue, or ops for a
/// single warp.
struct Stretch {
  llvm::SmallVector<mlir::Operation *> ops;
  bool isLoop() const;
  bool isProduct() const;
};

/// A condition around a stretch, and whether it must hold or not.
using Guard = std::pair<mlir::Value, bool>;

class KernelMaker {
public:
  KernelMaker(mlir::func::FuncOp function, PureOps &pure)
      : function(function), pure(pure), b(function.getLoc(), function) {}

  /// The kernel of a stretch, behind whose last op it is launched.
  void form(const Stretch &stretch, llvm::ArrayRef<Guard> guards);

  /// Kernels use `device` in place of memory that the host has.
  void replace(mlir::Value host, mlir::Value device) { onDevice[host] = device; }

  /// Ops that are in kernels now. They stay where they are until all kernels are made, as others may use pure ones.
  llvm::DenseSet<mlir::Operation *> cut;

private:
  void startKernel(const Stretch &stretch);
  mlir::Value inKernel(mlir::Value value);
  mlir::Value parameter(mlir::Value value);
  void bringOperands(mlir::Operation *op);
  mlir::Operation *cloneInto(mlir::Operation *op);
  void keepResults(mlir::Operation *op);
  void loopOverRows(mlir::scf::ParallelOp loop);
  void shareMemory();

  mlir::func::FuncOp function;
  PureOps &pure;
  mlir::ImplicitLocOpBuilder b;
  mlir::gpu::GPUModuleOp module;
  int64_t kernels = 0;
  llvm::DenseMap<mlir::Value, mlir::Value> kept;     ///< Memory of values that kernels made for others.
  llvm::DenseMap<mlir::Value, mlir::Value> onDevice; ///< See replace().

  // Of the kernel that is being made.
  mlir::gpu::GPUFuncOp kernel;
  llvm::SmallVector<mlir::Value> operands;
  mlir::IRMapping mapping;
};

} // namespace tower

#endif
