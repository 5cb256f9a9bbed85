// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the LLVM dialect to machine code.
#ifndef TOWER_PASSES_TARGET_EMITOBJECT_H
#define TOWER_PASSES_TARGET_EMITOBJECT_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace tower {

/// The processor that code is made for.
struct TargetDescription {
  std::string triple;
  std::string cpu;      ///< LLVM's name, as in `znver4` or `x86-64-v3`.
  std::string features; ///< As in "+avx512f,-amx-tile"; of a native target, all that this machine has.
  int vectorWidth = 8;  ///< Elements of f32 in the widest register that products use: 16 (AVX-512) or 8 (AVX2).
  bool dotBf16 = false; ///< It multiplies bf16 and adds the products in f32 (AVX512_BF16).
  /// Columns of a matrix, whose elements are far apart, are better copied before AVX-512 multiplies with them.
  bool copyTransposed = false;
  /// What the processor must have of TOWER_CPU_FEATURES (runtime/tower_abi.h).
  std::vector<std::string> needs;
};

/// `cpu`: "native", "multi" (x86-64-v4, then x86-64-v3: one program for both) or a name that LLVM knows; anything else
/// is an error on `errors` that lists what is allowed, and so is a processor without AVX2.
mlir::FailureOr<std::vector<TargetDescription>> describeTargets(llvm::StringRef cpu, llvm::raw_ostream &errors);

/// Says at each function of a module of the LLVM dialect which processor it is for, where this is not all that the
/// module will hold.
void markTarget(mlir::ModuleOp module, const TargetDescription &target);

/// Each takes a module of the LLVM dialect, optimizes it for the target, or each function for that which it is marked
/// with, and writes what its name says. Failures are diagnostics at the module's location.
llvm::LogicalResult emitLLVM(mlir::ModuleOp module, const TargetDescription &target, llvm::raw_pwrite_stream &os);
llvm::LogicalResult emitAssembly(mlir::ModuleOp module, const TargetDescription &target, llvm::raw_pwrite_stream &os);
llvm::LogicalResult emitObject(mlir::ModuleOp module, const TargetDescription &target, llvm::raw_pwrite_stream &os);

} // namespace tower

#endif
