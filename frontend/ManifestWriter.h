// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a compiled model says of itself to the runtime (docs/Manifest.md).
#ifndef TOWERC_FRONTEND_MANIFESTWRITER_H
#define TOWERC_FRONTEND_MANIFESTWRITER_H

#include "mlir/IR/BuiltinOps.h"
#include "passes/target/EmitObject.h"

#include <map>
#include <string>

namespace tower {

struct Spec;

/// Built in two parts, since functions lose their tensors when they are lowered, and gain their arena when it is
/// planned.
class ManifestWriter {
public:
  /// `dataflow`: the module after --tower-build-step. `targets`: the processors that there is code for, best first; one
  /// that is for a GPU alone has code of the host's side only, which `runsOnProcessors` says.
  ManifestWriter(const Spec &spec, mlir::ModuleOp dataflow, llvm::ArrayRef<TargetDescription> targets,
                 bool runsOnProcessors = true);
  ~ManifestWriter();

  using Arenas = std::map<std::string, int64_t>;
  /// The manifest's text. `arenaBytes`: of each entry point, the most that code for any of the targets needs;
  /// `deviceBytes`: the same on a GPU, empty if there is no code for one; `kernels`: JSON, what a step does there.
  std::string write(const Arenas &arenaBytes, const Arenas &deviceBytes = {}, const std::string &kernels = "[]") const;

private:
  struct Document;
  std::unique_ptr<Document> document;
};

} // namespace tower

#endif
