// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels as a GPU takes them: PTX, and cubins where the CUDA toolkit's assembler is there.
#ifndef TOWER_PASSES_TARGET_EMITKERNELS_H
#define TOWER_PASSES_TARGET_EMITKERNELS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Program.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tower {

/// Architectures that kernels are assembled for: A100 and H100. PTX is for the first of them and all that come later.
inline constexpr int kArchitectures[] = {80, 90};

/// The kernels of all gpu.modules of `module` (behind tower-kernel-arguments, and left as they are) as one module of
/// the NVVM dialect, or further. Errors are at the kernels' places in the spec.
mlir::OwningOpRef<mlir::ModuleOp> lowerKernels(mlir::ModuleOp module);

/// PTX of what lowerKernels made. An error if it calls what nothing defines, as libdevice's functions.
mlir::FailureOr<std::string> emitPtx(mlir::ModuleOp kernels);

/// Where ptxas is: in the folder that the environment variable TOWER_CUDA_TOOLKIT names (empty: nowhere), else in PATH
/// or in the toolkit that towerc was built with.
std::optional<std::string> findAssembler();

/// ptxas at work in a process of its own.
class Assembly {
public:
  /// Begins to assemble PTX for an architecture.
  static mlir::FailureOr<std::unique_ptr<Assembly>> start(llvm::StringRef assembler, llvm::StringRef ptx,
                                                          int architecture, llvm::raw_ostream &errors);
  ~Assembly();
  /// Waits for the cubin. `report`, if not null, receives what ptxas -v says of registers and memory.
  mlir::FailureOr<std::vector<char>> finish(std::string *report, llvm::raw_ostream &errors);

private:
  Assembly() = default;

  std::string assembler, source, object, log; ///< Paths.
  int architecture = 0;
  llvm::sys::ProcessInfo process;
};

} // namespace tower

#endif
