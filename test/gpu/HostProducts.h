// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The host form of mma.sync. A warp's lanes meet once for a run of products that stand together, which is what makes it
// fast: the last lane to come does them all.
#ifndef TOWER_TEST_GPU_HOSTPRODUCTS_H
#define TOWER_TEST_GPU_HOSTPRODUCTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tower::gpu_test {

/// Replaces every nvvm.mma.sync of a thread by calls of test/gpu/Device.h.
mlir::LogicalResult replaceProducts(mlir::func::FuncOp thread);

} // namespace tower::gpu_test

#endif
