// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Driver.h"
#include "frontend/DeviceCode.h"
#include "frontend/Explain.h"
#include "frontend/Importer.h"
#include "frontend/ManifestWriter.h"
#include "frontend/ModelReader.h"
#include "frontend/OutputFile.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "passes/EntryPoints.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "passes/PlanMemory.h"
#include "passes/StepWork.h"
#include "passes/gpu/KernelReport.h"
#include "passes/target/EmitObject.h"
#include "passes/target/JoinModules.h"
#include "passes/target/Link.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SourceMgr.h"

#include <iostream>

using namespace mlir;
using namespace tower;

namespace {

class Compilation {
public:
  Compilation(const DriverOptions &options, const Spec &spec, TimingScope &timing)
      : options(options), spec(spec), timing(timing), diagnostics(sources, &context) {
    DialectRegistry registry;
    registerTowerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    sources.setIncludeDirs({"."});
    if (options.explain)
      explanation.emplace(context);
    if (explanation && options.rates.first > 0)
      explanation->setRates({1e9 * options.rates.first, 1e9 * options.rates.second});
  }

  LogicalResult run();
  /// What the optimizations decided as far as they ran.
  void explain(llvm::raw_ostream &os) const {
    if (explanation)
      explanation->print(os);
    if (explanation && kernels)
      kernels->print(os);
  }

private:
  const DriverOptions &options;
  const Spec &spec;
  TimingScope &timing;
  MLIRContext context;
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler diagnostics;
  std::optional<Explanation> explanation;
  std::optional<KernelReport> kernels; ///< Once they are formed.
  OwningOpRef<ModuleOp> module;

  /// What the program has for a GPU.
  struct {
    OwningOpRef<ModuleOp> host; ///< In the LLVM dialect.
    std::map<std::string, int64_t> arenas;
    DeviceCode code;
  } gpu;

  /// Runs a phase of the pipeline; what its passes do is timed under its name.
  LogicalResult phase(StringRef name, llvm::function_ref<void(OpPassManager &)> build);
  Work plainWork();
  LogicalResult optimize(Work plain, bool forGpu);
  LogicalResult checkBudget(int64_t arena);
  LogicalResult printModule();
  bool wantsGpu() const;
  bool wantsProcessor() const;
  LogicalResult lowerToGpu();
  LogicalResult finishAssembly();
  LogicalResult lowerToMachine(ArrayRef<TargetDescription> targets, const ManifestWriter &manifest);
  LogicalResult emitCode(const TargetDescription &target);
  LogicalResult link(StringRef object, StringRef output);
  std::string outputName() const;
};

LogicalResult Compilation::phase(StringRef name, llvm::function_ref<void(OpPassManager &)> build) {
  PassManager manager(&context);
  if (failed(applyPassManagerCLOptions(manager)))
    return failure();
  TimingScope scope = timing.nest(name);
  manager.enableTiming(scope);
  build(manager);
  // Once for a phase, not after each of its passes: a fifth of the time to compile. tower-opt checks them all.
  manager.enableVerifier(false);
  if (failed(manager.run(*module)))
    return failure();
  return verify(*module);
}

static func::FuncOp trainStep(ModuleOp module) { return module.lookupSymbol<func::FuncOp>("train_step"); }

// The work of the step without any optimization.
Work Compilation::plainWork() {
  OwningOpRef<ModuleOp> copy = module->clone();
  PassManager manager(&context);
  addDifferentiatePhase(manager);
  return succeeded(manager.run(*copy)) ? workOf(trainStep(*copy)) : Work();
}

LogicalResult Compilation::checkBudget(int64_t arena) {
  if (options.memoryBudget == 0 || arena <= options.memoryBudget)
    return success();
  bool recomputes = !llvm::is_contained(options.disabled, "recompute");
  return emitError(trainStep(*module).getLoc())
         << "a training step needs at least " << arena << " bytes of memory for its intermediates"
         << (recomputes ? "" : " without the optimization recompute") << ", and --memory-budget allows "
         << options.memoryBudget << ": allow more, or lower the batch";
}

std::string Compilation::outputName() const {
  if (!options.output.empty())
    return options.output;
  switch (options.stage) {
  case Stage::Cubin:
    return spec.model.name() + ".cubin";
  case Stage::Object:
    return spec.model.name() + ".o";
  case Stage::Library:
    return spec.model.name() + ".so";
  case Stage::Executable:
    return spec.model.name();
  default:
    return "-";
  }
}

LogicalResult Compilation::printModule() {
  return writeOutput(outputName(), [&](llvm::raw_pwrite_stream &os) {
    module->print(os);
    return success();
  });
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

bool Compilation::wantsGpu() const {
  if (options.stage == Stage::Linalg || options.stage == Stage::Planned)
    return false;
  return options.target != Target::Cpu || (options.stage >= Stage::Gpu && options.stage <= Stage::Cubin);
}

bool Compilation::wantsProcessor() const {
  bool printsKernels = options.stage >= Stage::Gpu && options.stage <= Stage::Cubin;
  return options.target != Target::Cuda && !printsKernels;
}

LogicalResult Compilation::finishAssembly() {
  TimingScope scope = timing.nest("assemble");
  return kernels ? gpu.code.finishAssembly(kernels->registers) : success();
}

// Kernels as PTX and cubins; the host's program. Stops at a stage that was asked for.
LogicalResult Compilation::lowerToGpu() {
  GpuWork necessary = necessaryOperations(trainStep(*module));
  if (failed(phase("kernels", [](OpPassManager &manager) { addKernelPhase(manager); })))
    return failure();
  kernels = KernelReport{workOfKernels(trainStep(*module)), necessary, {}};
  gpu.arenas = arenaBytes(*module);
  if (options.printPlan) {
    llvm::outs() << "cuda\n";
    printPlan(*module, llvm::outs());
  }
  if (options.stage == Stage::Gpu)
    return printModule();
  if (failed(phase("arguments", [](OpPassManager &manager) { manager.addPass(createKernelArguments()); })))
    return failure();
  TimingScope scope = timing.nest("kernels to PTX");
  OwningOpRef<ModuleOp> kernels = lowerKernels(*module);
  if (!kernels)
    return failure();
  if (options.stage == Stage::Nvvm) {
    module = std::move(kernels);
    return printModule();
  }
  FailureOr<std::string> ptx = emitPtx(*kernels);
  if (failed(ptx))
    return failure();
  gpu.code.ptx = std::move(*ptx);
  auto save = [&](StringRef bytes) {
    return writeOutput(outputName(), [&](llvm::raw_pwrite_stream &os) {
      os << bytes;
      return success();
    });
  };
  if (options.stage == Stage::Ptx)
    return save(gpu.code.ptx);
  scope.stop();
  if (failed(gpu.code.startAssembly(/*required=*/options.stage == Stage::Cubin)))
    return failure();
  if (options.stage == Stage::Cubin)
    return failed(finishAssembly()) ? failure() : save(gpu.code.newest());
  if (failed(phase("convert", addHostPhase)))
    return failure();
  gpu.host = std::move(module);
  return success();
}

// The code of each target in turn; together they become one program.
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
    return writeOutput(outputName(), [&](llvm::raw_pwrite_stream &os) {
      os << planned;
      return success();
    });
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

// All optimizations. Stops at a stage that was asked for.
LogicalResult Compilation::optimize(Work plain, bool forGpu) {
  if (failed(phase("simplify", [&](OpPassManager &manager) { addSimplifyPhase(manager, options.disabled, forGpu); })))
    return failure();
  if (failed(phase("differentiate", addDifferentiatePhase)))
    return failure();
  if (options.stage == Stage::Gradient)
    return success();
  if (failed(phase("fuse",
                   [&](OpPassManager &manager) { addFusePhase(manager, options.disabled, options.memoryBudget); })))
    return failure();
  if (explanation)
    explanation->setTotals(plain, workOf(trainStep(*module)));
  return success();
}

LogicalResult Compilation::run() {
  if (failed(checkOutput(outputName())))
    return failure();
  FailureOr<std::vector<TargetDescription>> targets = describeTargets(options.cpu, llvm::errs());
  if (failed(targets))
    return failure();
  {
    TimingScope scope = timing.nest("import");
    module = importModel(spec, &context);
  }
  if (options.stage == Stage::Model)
    return printModule();
  if (failed(phase("build", addBuildPhase)))
    return failure();
  if (options.stage == Stage::Dataflow)
    return printModule();
  ManifestWriter manifest(spec, *module, *targets, options.target != Target::Cuda);
  Work plain = explanation ? plainWork() : Work();
  // What pays differs between machines, so each has a step of its own. The processor's comes first.
  OwningOpRef<ModuleOp> built = wantsGpu() && wantsProcessor() ? module->clone() : nullptr;
  if (failed(optimize(plain, /*forGpu=*/wantsGpu() && !built)))
    return failure();
  if (options.stage == Stage::Gradient || options.stage == Stage::Fused)
    return printModule();
  if (built) {
    std::swap(module, built);
    if (explanation)
      explanation->startMachine("On a GPU, where it differs:");
    if (failed(optimize(plain, /*forGpu=*/true)))
      return failure();
  }
  if (wantsGpu()) {
    if (failed(lowerToGpu()))
      return failure();
    if (!gpu.host) // A stage of the kernels was printed.
      return success();
    module = std::move(built);
  }
  if (module && failed(phase("lower", addLowerPhase)))
    return failure();
  if (options.stage == Stage::Linalg)
    return printModule();
  return lowerToMachine(*targets, manifest);
}

} // namespace

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
