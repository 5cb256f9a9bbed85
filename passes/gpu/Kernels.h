// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the passes that make kernels for a GPU agree on.
#ifndef TOWER_PASSES_GPU_KERNELS_H
#define TOWER_PASSES_GPU_KERNELS_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tower {

/// Attribute of a gpu.func that is one product with its epilogue, for the blocks of one grid: rows and columns of C
/// that a block computes at a time.
inline constexpr llvm::StringLiteral kProductKernel = "tower.product";

/// Unit attribute of a gpu.func whose blocks share memory in a way of their own: it is launched alone.
inline constexpr llvm::StringLiteral kAlone = "tower.alone";

/// What a kernel's name is followed by in that of its host form, an llvm.func (tower_abi.h: tower_host_form).
inline constexpr llvm::StringLiteral kHostForm = "_host";

/// Warps of a block that takes rows.
inline constexpr int64_t kWarpsOfBlock = 4;
/// Blocks of a grid, at most: what is more the same warps do one after the other.
inline constexpr int64_t kMostBlocks = int64_t(1) << 16;
/// Operands of a kernel, at most: a GPU takes 4 KiB of arguments.
inline constexpr int64_t kMostOperands = 400;
/// Rows that a loop of unknown length is launched for.
inline constexpr int64_t kUnknownRows = 1024;

/// Rows and columns of C that a block computes at a time.
struct ProductTile {
  int64_t rows = 0, columns = 0;
};

/// The part of K that is in shared memory at a time, and the warps of a block.
inline constexpr int64_t kTileDepth = 16, kWarpsOfProduct = 8;
/// Shared memory of a product's block, in f32: the same for all, as blocks of several products may be in one launch.
/// Two parts of K for 128 rows of A and 128 columns of B, each with a gap.
inline constexpr int64_t kSharedOfProduct = 2 * 2 * 128 * (kTileDepth + 4);

/// The largest tile that still leaves every multiprocessor something to do.
ProductTile tileOf(mlir::linalg::LinalgOp product);
/// How many tiles C has at most.
int64_t tilesOf(mlir::linalg::LinalgOp product, ProductTile tile);

/// Whether an op's results are other names of memory that is an operand.
bool isOtherName(mlir::Operation *op);

/// All names that the functions' ops give this memory, itself first.
llvm::SmallVector<mlir::Value> namesOf(mlir::Value memory);

/// An empty kernel, in which the builder then is.
mlir::gpu::GPUFuncOp makeKernel(mlir::ImplicitLocOpBuilder &b, const llvm::Twine &name, mlir::TypeRange types);

/// Shared memory of a kernel's block: so many f32, aligned to 16 bytes.
mlir::Value addShared(mlir::gpu::GPUFuncOp kernel, int64_t floats);

/// Launches blocks of (lane, warp) threads.
void launchKernel(mlir::ImplicitLocOpBuilder &b, mlir::gpu::GPUFuncOp kernel, int64_t blocks, int64_t warps,
                  mlir::ValueRange operands);

/// Makes of every scf.parallel in a kernel a loop of one warp.
void runLoopsInOrder(mlir::gpu::GPUFuncOp kernel);

} // namespace tower

#endif
