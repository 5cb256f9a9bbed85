// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a GPU's kernels do in a step, as tables for people (towerc --explain) and as JSON.
#ifndef TOWER_PASSES_GPU_KERNELREPORT_H
#define TOWER_PASSES_GPU_KERNELREPORT_H

#include "passes/gpu/KernelWork.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <string>

namespace tower {

struct KernelReport {
  DeviceStep step;
  GpuWork necessary;                    ///< Operations of the step's products.
  std::map<std::string, int> registers; ///< Of a thread, by kernel; empty where no assembler said.

  /// A row for each kernel, and below it one for each kind of op in it; then the step's estimate.
  void print(llvm::raw_ostream &os) const;
  /// For the manifest: kernels with their bytes and operations (docs/Manifest.md).
  std::string json() const;

private:
  void printKernels(llvm::raw_ostream &os) const;
  void printEstimate(llvm::raw_ostream &os) const;
};

/// Registers of a thread by kernel, in what `ptxas -v` says.
std::map<std::string, int> registersIn(llvm::StringRef said);

} // namespace tower

#endif
