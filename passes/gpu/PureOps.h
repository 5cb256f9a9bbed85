// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which ops of a function are made again in each kernel that uses their results.
#ifndef TOWER_PASSES_GPU_PUREOPS_H
#define TOWER_PASSES_GPU_PUREOPS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tower {

/// Constants, arithmetic, views, and loads of what is not written any more.
class PureOps {
public:
  explicit PureOps(mlir::func::FuncOp function) : function(function) {}

  bool contains(mlir::Operation *op);
  /// Whether ops that are neither among these nor in them use the value, directly or by pure ops.
  bool isWantedOutside(mlir::Value value, const llvm::DenseSet<mlir::Operation *> &inside);

private:
  bool isExchanged(mlir::Operation *op);
  bool isFinalLoad(mlir::Operation *op);

  mlir::func::FuncOp function;
  llvm::DenseMap<mlir::Operation *, bool> exchanged;
};

} // namespace tower

#endif
