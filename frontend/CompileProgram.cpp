// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From loops to machine code, and to the file that was asked for.
#include "frontend/Compilation.h"
#include "frontend/OutputFile.h"
#include "passes/EntryPoints.h"
#include "passes/Pipelines.h"
#include "passes/PlanMemory.h"
#include "passes/target/JoinModules.h"
#include "passes/target/Link.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Process.h"

using namespace mlir;
using namespace tower;

LogicalResult Compilation::checkBudget(int64_t arena) {
  if (options.memoryBudget == 0 || arena <= options.memoryBudget)
    return success();
  bool recomputes = !llvm::is_contained(options.disabled, "recompute");
  return emitError(trainStep().getLoc()) << "a training step needs at least " << arena
                                         << " bytes of memory for its intermediates"
                                         << (recomputes ? "" : " without the optimization recompute")
                                         << ", and --memory-budget allows " << options.memoryBudget
                                         << ": allow more, or lower the batch";
}

LogicalResult Compilation::link(StringRef object, StringRef output) {
  TimingScope scope = timing.nest("link");
  auto run = options.stage == Stage::Library ? linkLibrary : linkExecutable;
  return run(object, output, options.runtimeFolder, llvm::errs());
}

LogicalResult Compilation::emitCode(const TargetDescription &target) {
  if (options.stage == Stage::Llvm || options.stage == Stage::Asm || options.stage == Stage::Object) {
    TimingScope scope = timing.nest("emit");
    return writeOutput(outputName(), [&](llvm::raw_pwrite_stream &os) {
      if (options.stage == Stage::Llvm)
        return emitLLVM(*module, target, os);
      return options.stage == Stage::Asm ? emitAssembly(*module, target, os) : emitObject(*module, target, os);
    });
  }
  SmallString<128> object;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("towerc", "o", object)) {
    llvm::errs() << "error: cannot make a temporary file: " << error.message() << "\n";
    return failure();
  }
  llvm::FileRemover remover(object);
  {
    TimingScope scope = timing.nest("emit");
    if (failed(writeOutput(object, [&](llvm::raw_pwrite_stream &os) { return emitObject(*module, target, os); })))
      return failure();
  }
  // The linker writes beside the output, which is then replaced in one step.
  std::string output = outputName();
  std::string temporary = output + ".tmp" + std::to_string(llvm::sys::Process::getProcessId());
  llvm::FileRemover unfinished(temporary);
  if (failed(link(object, temporary)))
    return failure();
  if (std::error_code error = llvm::sys::fs::rename(temporary, output)) {
    llvm::errs() << "error: cannot write " << output << ": " << error.message() << "\n";
    return failure();
  }
  unfinished.releaseFile();
  return success();
}

LogicalResult Compilation::lowerToMachine(ArrayRef<TargetDescription> targets, const ManifestWriter &manifest) {
  OwningOpRef<ModuleOp> loops = std::move(module), joined;
  std::map<std::string, int64_t> arenas;
  std::string planned;
  llvm::raw_string_ostream text(planned);
  // A program for a GPU alone has no loops for a processor.
  ArrayRef<TargetDescription> processors = loops ? targets : ArrayRef<TargetDescription>();
  for (const TargetDescription &target : processors) {
    bool isLast = &target == &targets.back();
    module = isLast ? std::move(loops) : loops->clone();
    if (failed(phase("plan", [&](OpPassManager &manager) {
          addPlanPhase(manager, target.vectorWidth, target.dotBf16, target.copyTransposed);
        })))
      return failure();
    if (options.printPlan) {
      if (targets.size() > 1)
        llvm::outs() << target.cpu << "\n";
      printPlan(*module, llvm::outs());
    }
    std::map<std::string, int64_t> needed = arenaBytes(*module);
    if (failed(checkBudget(needed["train_step"])))
      return failure();
    if (options.stage == Stage::Planned) {
      // As tower-opt --split-input-file wants it.
      module->print(text);
      text << (isLast ? "" : "// -----\n");
      continue;
    }
    for (auto &[entry, bytes] : needed)
      arenas[entry] = std::max(arenas[entry], bytes);
    if (failed(phase("convert", addLLVMPhase)))
      return failure();
    if (targets.size() > 1)
      markTarget(*module, target);
    if (joined)
      joinModules(*joined, *module, target.cpu);
    else
      joined = std::move(module);
  }
  if (options.stage == Stage::Planned)
    return writeOutput(outputName(), planned);
  if (gpu.host && targets.size() > 1)
    markTarget(*gpu.host, targets.back());
  if (gpu.host && joined)
    joinModules(*joined, *gpu.host, "cuda");
  else if (gpu.host)
    joined = std::move(gpu.host);
  module = std::move(joined);
  if (failed(finishAssembly()))
    return failure();
  attachProgram(*module, manifest.write(arenas, gpu.arenas, kernels ? kernels->json() : "[]"), gpu.code.images());
  return emitCode(targets.back());
}
