// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Driver.h"
#include "frontend/Compilation.h"
#include "frontend/ModelReader.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "llvm/ADT/StringExtras.h"

#include <iostream>

using namespace mlir;
using namespace tower;

LogicalResult tower::compile(const DriverOptions &options) {
  DefaultTimingManager timing;
  timing.setEnabled(options.timing);
  TimingScope root = timing.getRootScope();
  SpecDiagnostics diagnostics;
  std::optional<Spec> spec;
  {
    TimingScope scope = root.nest("read");
    spec = readSpec(options.spec, {options.overrides, options.data}, diagnostics);
  }
  diagnostics.print(std::cerr);
  if (!spec)
    return failure();
  for (const std::string &name : options.disabled)
    if (!llvm::is_contained(optimizations(), name)) {
      llvm::errs() << "error: --disable: there is no optimization " << name << "; there are "
                   << llvm::join(optimizations(), ", ") << "\n";
      return failure();
    }
  Compilation compilation(options, *spec, root);
  LogicalResult result = compilation.run();
  compilation.explain(llvm::outs());
  return result;
}
