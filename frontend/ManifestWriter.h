// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a compiled model says of itself to the runtime (docs/Manifest.md).
#ifndef TOWERC_FRONTEND_MANIFESTWRITER_H
#define TOWERC_FRONTEND_MANIFESTWRITER_H

#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <string>

namespace tower {

struct Spec;

/// The machine that the model is compiled for.
struct ManifestTarget {
  std::string triple;
  std::string cpu;
};

/// Built in two parts, since functions lose their tensors when they are lowered, and gain their arena when it is
/// planned.
class ManifestWriter {
public:
  /// `dataflow`: the module after --tower-build-step.
  ManifestWriter(const Spec &spec, mlir::ModuleOp dataflow, const ManifestTarget &target);
  ~ManifestWriter();

  /// The manifest's text. `arenaBytes`: of each entry point.
  std::string write(const std::map<std::string, int64_t> &arenaBytes) const;

private:
  struct Document;
  std::unique_ptr<Document> document;
};

} // namespace tower

#endif
