// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constructors, options and registration of every pass of towerc; Passes.td describes them.
#ifndef TOWER_PASSES_PASSES_H
#define TOWER_PASSES_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tower {

/// Of a function's result: the number of the argument whose new value it is.
inline constexpr llvm::StringLiteral kUpdates = "tower.updates";
/// Of a function's argument: what the runtime has to pass.
inline constexpr llvm::StringLiteral kArgument = "tower.argument";

/// Rows that a GPU's warp sums one after the other where other warps can take some.
inline constexpr int64_t kGpuChain = 64;

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

} // namespace tower

#endif
