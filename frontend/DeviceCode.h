// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A GPU's code in a program: PTX, and cubins where the CUDA toolkit's assembler is found.
#ifndef TOWERC_FRONTEND_DEVICECODE_H
#define TOWERC_FRONTEND_DEVICECODE_H

#include "passes/EntryPoints.h"
#include "passes/target/EmitKernels.h"

#include <map>

namespace tower {

class DeviceCode {
public:
  std::string ptx; ///< Empty: no code for a GPU.

  /// Begins to assemble the PTX, in processes of their own, while the rest of the program is compiled. Without an
  /// assembler nothing, as drivers assemble PTX at every start; or an error where a cubin is `required`.
  mlir::LogicalResult startAssembly(bool required);
  /// Waits for the cubins. `registers` receives those of a thread of each kernel, for the newest architecture.
  mlir::LogicalResult finishAssembly(std::map<std::string, int> &registers);

  /// The cubin for the newest architecture.
  llvm::StringRef newest() const { return {cubins.back().second.data(), cubins.back().second.size()}; }
  llvm::SmallVector<Image> images() const;

private:
  std::vector<std::pair<int, std::unique_ptr<Assembly>>> assemblies; ///< Under way, by architecture.
  std::vector<std::pair<int, std::vector<char>>> cubins;
};

} // namespace tower

#endif
