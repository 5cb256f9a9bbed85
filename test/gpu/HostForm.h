// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels that a CPU can run: the same gpu.func that is translated for a GPU, as a function of one thread, which asks
// the simulated device (test/gpu/Device.h) who it is, waits at its barriers and exchanges values with its warp.
#ifndef TOWER_TEST_GPU_HOSTFORM_H
#define TOWER_TEST_GPU_HOSTFORM_H

#include "mlir/IR/BuiltinOps.h"

namespace tower::gpu_test {

/// Takes a module behind tower-kernel-arguments. Each kernel becomes an llvm.func of its name and kHostForm, which
/// tower-host-program finds. Fails at an op that it does not know.
mlir::LogicalResult makeHostForms(mlir::ModuleOp module);

} // namespace tower::gpu_test

#endif
