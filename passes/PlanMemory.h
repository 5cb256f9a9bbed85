// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where every intermediate of an entry function lives in its arena.
#ifndef TOWER_PASSES_PLANMEMORY_H
#define TOWER_PASSES_PLANMEMORY_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <map>
#include <string>

namespace mlir {
class MemRefType;
class ModuleOp;
} // namespace mlir
namespace llvm {
class raw_ostream;
}

namespace tower {

/// Buffers begin at multiples of this many bytes.
inline constexpr int64_t kBufferAlignment = 64;

/// A function's attribute: the bytes of its arena.
inline constexpr char kArenaBytes[] = "tower.arena_bytes";

/// Bytes of memory of a static shape.
int64_t bytesOf(mlir::MemRefType type);

/// A buffer that is in use from op number `first` to op number `last` of a function, both included.
struct PlannedBuffer {
  int64_t bytes = 0;
  int64_t first = 0, last = 0;
  int64_t offset = 0; ///< In bytes: the plan's answer.
};

/// Gives each buffer an offset such that no two that are in use at once overlap: the largest first, each as low as it
/// fits. Returns the bytes of the arena.
int64_t assignOffsets(llvm::MutableArrayRef<PlannedBuffer> buffers);

/// The bytes of each entry function's arena, after `tower-plan-memory`.
std::map<std::string, int64_t> arenaBytes(mlir::ModuleOp module);

/// Prints what `tower-plan-memory` did to a module: for each entry function its buffers by offset, with the op and the
/// line of the spec that each belongs to, and the peak. Valid until loops are outlined.
void printPlan(mlir::ModuleOp module, llvm::raw_ostream &os);

} // namespace tower

#endif
