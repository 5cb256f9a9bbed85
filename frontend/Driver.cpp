// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Driver.h"
#include "frontend/Explain.h"
#include "frontend/Importer.h"
#include "frontend/ManifestWriter.h"
#include "frontend/ModelReader.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Support/Timing.h"
#include "passes/EntryPoints.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "passes/PlanMemory.h"
#include "passes/StepWork.h"
#include "passes/gpu/KernelReport.h"
#include "passes/target/EmitKernels.h"
#include "passes/target/EmitObject.h"
#include "passes/target/JoinModules.h"
#include "passes/target/Link.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"

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
    std::string ptx;
    std::vector<std::pair<int, std::unique_ptr<Assembly>>> assemblies; ///< Under way, by architecture.
    std::vector<std::pair<int, std::vector<char>>> cubins;             ///< None where there is no ptxas.
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
  LogicalResult startAssembly();
  LogicalResult finishAssembly();
  LogicalResult lowerToMachine(ArrayRef<TargetDescription> targets, const ManifestWriter &manifest);
  LogicalResult emitCode(const TargetDescription &target);
  LogicalResult link(StringRef object, StringRef output);
  std::string outputName() const;
  LogicalResult checkOutput() const;
  LogicalResult write(StringRef path, llvm::function_ref<LogicalResult(llvm::raw_pwrite_stream &)> writer);
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

// Text and objects appear under their name only when they are whole.
LogicalResult Compilation::write(StringRef path, llvm::function_ref<LogicalResult(llvm::raw_pwrite_stream &)> writer) {
  std::string message;
  std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(path, &message);
  if (!file) {
    llvm::errs() << "error: " << message << "\n";
    return failure();
  }
  // Streams that cannot seek get what was written to memory.
  SmallVector<char, 0> buffer;
  llvm::raw_svector_ostream os(buffer);
  if (failed(writer(os)))
    return failure();
  file->os() << StringRef(buffer.data(), buffer.size());
  file->os().flush();
  if (file->os().has_error()) {
    llvm::errs() << "error: cannot write " << path << ": " << file->os().error().message() << "\n";
    file->os().clear_error();
    return failure();
  }
  file->keep();
  return success();
}

LogicalResult Compilation::printModule() {
  return write(outputName(), [&](llvm::raw_pwrite_stream &os) {
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
    return write(outputName(), [&](llvm::raw_pwrite_stream &os) {
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
    if (failed(write(object, [&](llvm::raw_pwrite_stream &os) { return emitObject(*module, target, os); })))
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

// Said before minutes of work and in better words than the linker's.
LogicalResult Compilation::checkOutput() const {
  std::string path = outputName();
  if (path == "-")
    return success();
  StringRef folder = llvm::sys::path::parent_path(path);
  std::error_code error;
  if (llvm::sys::fs::is_directory(path))
    error = std::make_error_code(std::errc::is_a_directory);
  else if (!folder.empty() && !llvm::sys::fs::exists(folder))
    error = std::make_error_code(std::errc::no_such_file_or_directory);
  else
    error = llvm::sys::fs::access(folder.empty() ? "." : folder, llvm::sys::fs::AccessMode::Write);
  if (!error)
    return success();
  llvm::errs() << "error: cannot write " << path << ": " << error.message() << "\n";
  return failure();
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

// In processes of their own, while the rest is compiled.
LogicalResult Compilation::startAssembly() {
  std::optional<std::string> assembler = findAssembler();
  if (!assembler && options.stage == Stage::Cubin) {
    llvm::errs() << "error: --emit=cubin: there is no ptxas in PATH nor in the CUDA toolkit's bin; install the CUDA "
                 << "toolkit (TOWER_CUDA_TOOLKIT says where it is), or use --emit=ptx\n";
    return failure();
  }
  // A GPU's driver assembles PTX itself, at every start.
  for (int architecture : kArchitectures) {
    if (!assembler)
      break;
    FailureOr<std::unique_ptr<Assembly>> assembly = Assembly::start(*assembler, gpu.ptx, architecture, llvm::errs());
    if (failed(assembly))
      return failure();
    gpu.assemblies.emplace_back(architecture, std::move(*assembly));
  }
  return success();
}

LogicalResult Compilation::finishAssembly() {
  TimingScope scope = timing.nest("assemble");
  for (auto &[architecture, assembly] : gpu.assemblies) {
    std::string said;
    FailureOr<std::vector<char>> cubin = assembly->finish(&said, llvm::errs());
    if (failed(cubin))
      return failure();
    kernels->registers = registersIn(said);
    gpu.cubins.emplace_back(architecture, std::move(*cubin));
  }
  gpu.assemblies.clear();
  return success();
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
  gpu.ptx = std::move(*ptx);
  auto save = [&](StringRef bytes) {
    return write(outputName(), [&](llvm::raw_pwrite_stream &os) {
      os << bytes;
      return success();
    });
  };
  if (options.stage == Stage::Ptx)
    return save(gpu.ptx);
  scope.stop();
  if (failed(startAssembly()))
    return failure();
  if (options.stage == Stage::Cubin)
    return failed(finishAssembly()) ? failure()
                                    : save(StringRef(gpu.cubins.back().second.data(), gpu.cubins.back().second.size()));
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
    return write(outputName(), [&](llvm::raw_pwrite_stream &os) {
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
  SmallVector<Image> images;
  if (!gpu.ptx.empty())
    images.push_back({0, gpu.ptx});
  for (const auto &[architecture, cubin] : gpu.cubins)
    images.push_back({architecture, StringRef(cubin.data(), cubin.size())});
  attachProgram(*module, manifest.write(arenas, gpu.arenas, kernels ? kernels->json() : "[]"), images);
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
  if (failed(checkOutput()))
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
