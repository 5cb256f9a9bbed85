// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/DeviceCode.h"
#include "passes/gpu/KernelReport.h"

using namespace mlir;
using namespace tower;

LogicalResult DeviceCode::startAssembly(bool required) {
  std::optional<std::string> assembler = findAssembler();
  if (!assembler && required) {
    llvm::errs() << "error: --emit=cubin: there is no ptxas in PATH nor in the CUDA toolkit's bin; install the CUDA "
                 << "toolkit (TOWER_CUDA_TOOLKIT says where it is), or use --emit=ptx\n";
    return failure();
  }
  if (!assembler)
    return success();
  for (int architecture : kArchitectures) {
    FailureOr<std::unique_ptr<Assembly>> assembly = Assembly::start(*assembler, ptx, architecture, llvm::errs());
    if (failed(assembly))
      return failure();
    assemblies.emplace_back(architecture, std::move(*assembly));
  }
  return success();
}

LogicalResult DeviceCode::finishAssembly(std::map<std::string, int> &registers) {
  for (auto &[architecture, assembly] : assemblies) {
    std::string said;
    FailureOr<std::vector<char>> cubin = assembly->finish(&said, llvm::errs());
    if (failed(cubin))
      return failure();
    registers = registersIn(said);
    cubins.emplace_back(architecture, std::move(*cubin));
  }
  assemblies.clear();
  return success();
}

SmallVector<Image> DeviceCode::images() const {
  SmallVector<Image> images;
  if (!ptx.empty())
    images.push_back({0, ptx});
  for (const auto &[architecture, cubin] : cubins)
    images.push_back({architecture, StringRef(cubin.data(), cubin.size())});
  return images;
}
