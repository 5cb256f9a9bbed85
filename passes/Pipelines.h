// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The phases of a compilation, in order: the only place that orders passes.
#ifndef TOWER_PASSES_PIPELINES_H
#define TOWER_PASSES_PIPELINES_H

#include "mlir/Pass/PassManager.h"

namespace tower {

/// All dialects that the phases produce, and how each is converted to LLVM's: for the context of a compilation.
void registerTowerDialects(mlir::DialectRegistry &registry);

/// Declared model -> dataflow: the training step and the inference functions.
void addBuildPhase(mlir::OpPassManager &passes);
/// Less work in the forward step, and so in the backward one; without the optimizations named. What pays differs
/// between a processor and a GPU.
void addSimplifyPhase(mlir::OpPassManager &passes, llvm::ArrayRef<std::string> disabled = {}, bool forGpu = false);
/// tower.gradient -> the backward pass, without what nobody asks for.
void addDifferentiatePhase(mlir::OpPassManager &passes);
/// The optimizations that a user may leave out (towerc --disable), by name: a pass's flag without `tower-`.
llvm::ArrayRef<llvm::StringRef> optimizations();
/// Fused and skipped work, on tensors still; without the optimizations named. With a budget of bytes, values are
/// computed again where the step's arena would be larger.
void addFusePhase(mlir::OpPassManager &passes, llvm::ArrayRef<std::string> disabled = {}, int64_t memoryBudget = 0);
/// Ops on tensors -> loops over memory and products (linalg.matmul).
void addLowerPhase(mlir::OpPassManager &passes);
/// Products -> loops; approximated functions; every buffer at its place in the arena. `vectorWidth`: elements of f32 in
/// the target's registers, `dotBf16`: whether it multiplies bf16, `copyTransposed`: whether A^T is copied, see
/// TargetDescription.
void addPlanPhase(mlir::OpPassManager &passes, int64_t vectorWidth, bool dotBf16 = false, bool copyTransposed = false);
/// For a GPU, instead of lowering and planning: dataflow to kernels and a host program whose memory is planned. `chain`:
/// rows that a warp sums one after the other where other warps can take some.
void addKernelPhase(mlir::OpPassManager &passes, int64_t chain);
void addKernelPhase(mlir::OpPassManager &passes);

/// Behind addKernelPhase and tower-kernel-arguments: the host's program to the LLVM dialect; kernels are dropped.
void addHostPhase(mlir::OpPassManager &passes);

/// Functions for threads, entry points, and all of it in the LLVM dialect. attachProgram() comes after.
void addLLVMPhase(mlir::OpPassManager &passes);

/// Makes the phases pipelines of tower-opt: --tower-build-phase, ..., and --tower-pipeline for all after the first two.
void registerTowerPipelines();

} // namespace tower

#endif
