// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Machine code of a generated model, in this process.
#ifndef TEST_DIFFERENTIAL_COMPILED_H
#define TEST_DIFFERENTIAL_COMPILED_H

#include "passes/lower/Emitter.h"
#include "runtime/tower_abi.h"
#include "test/differential/TestModel.h"

#include <memory>

namespace llvm::orc {
class LLJIT;
}

namespace tower::differential {

/// All phases of a compilation, then the object file that towerc would write, loaded by a JIT linker.
class Compiled {
public:
  /// Failures say why there is no program. For a GPU, one whose device is simulated (test/gpu/Device.h).
  Compiled(TestModel &model, Coverage &coverage, Failures &failures, lower::Machine machine = lower::Machine::Cpu);
  ~Compiled();

  const tower_program_v1 *program = nullptr;
  mlir::OwningOpRef<mlir::ModuleOp> dataflow; ///< What was lowered.

private:
  bool load(llvm::StringRef object, Failures &failures);

  std::unique_ptr<llvm::orc::LLJIT> jit;
};

/// Arguments of all passes that a compilation runs.
std::vector<std::string> pipelinePasses();

} // namespace tower::differential

#endif
