// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which memory may be read and written 16 bytes at a time, as far as types and views tell.
#ifndef TOWER_PASSES_GPU_ALIGNMENT_H
#define TOWER_PASSES_GPU_ALIGNMENT_H

#include "mlir/IR/ValueRange.h"
#include "llvm/Support/Alignment.h"

namespace tower {

/// Elements of f32 in 16 bytes, the most that a thread reads or writes at once.
inline constexpr int64_t kVector = 4;

/// Whether every row of a memref of f32 or i32 begins at a multiple of 16 bytes and lies without gaps. Buffers do: the
/// arena, the tensors and the data are aligned to 64.
bool rowsAreAligned(mlir::Value memory);

/// What `count` neighbouring elements at a place are aligned to, as far as the place's last index tells by how it is
/// made; `count` is a power of two.
llvm::Align alignmentAt(mlir::Value memory, mlir::ValueRange at, int64_t count);

} // namespace tower

#endif
