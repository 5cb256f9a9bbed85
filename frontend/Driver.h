// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a spec file to whatever the user asked for.
#ifndef TOWERC_FRONTEND_DRIVER_H
#define TOWERC_FRONTEND_DRIVER_H

#include "llvm/Support/LogicalResult.h"

#include <string>
#include <utility>
#include <vector>

namespace tower {

/// How far a model is compiled. Each stage up to `Ptx` is text; `Gpu` and the three behind it are of a GPU's code.
enum class Stage {
  Model,
  Dataflow,
  Gradient,
  Fused,
  Linalg,
  Planned,
  Llvm,
  Asm,
  Gpu,
  Nvvm,
  Ptx,
  Cubin,
  Object,
  Library,
  Executable
};

/// What a program has code for.
enum class Target { Cpu, Cuda, Both };

struct DriverOptions {
  std::string spec;                   ///< The spec's file.
  std::string data;                   ///< The dataset's folder; empty: none.
  std::vector<std::string> overrides; ///< Of --set.
  std::string output;                 ///< Empty: standard output for text, else a name made from the model's.
  Stage stage = Stage::Executable;
  Target target = Target::Cpu;
  std::string cpu = "native";        ///< Also for what the host does for a GPU.
  std::vector<std::string> disabled; ///< Optimizations to leave out.
  int64_t memoryBudget = 0;          ///< Bytes that a step's arena may have; 0: any number.
  std::string runtimeFolder;         ///< Where libtower_runtime.a is.
  bool explain = false;              ///< What each optimization decided, to standard output.
  std::pair<double, double> rates;   ///< With explain: the machine's GFLOP/s and GB/s; 0: not given.
  bool printPlan = false;            ///< The memory plan, to standard output.
  bool timing = false;               ///< The time of each phase, to standard error.
};

/// Compiles; errors go to standard error, each at its place in the spec. The output is written whole or not at all.
llvm::LogicalResult compile(const DriverOptions &options);

} // namespace tower

#endif
