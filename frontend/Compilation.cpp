// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the spec to an optimized step, and which way it goes from there.
#include "frontend/Compilation.h"
#include "frontend/Importer.h"
#include "frontend/ModelReader.h"
#include "frontend/OutputFile.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"

using namespace mlir;
using namespace tower;

Compilation::Compilation(const DriverOptions &options, const Spec &spec, TimingScope &timing)
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

void Compilation::explain(llvm::raw_ostream &os) const {
  if (explanation)
    explanation->print(os);
  if (explanation && kernels)
    kernels->print(os);
}

bool Compilation::wantsGpu() const {
  if (options.stage == Stage::Linalg || options.stage == Stage::Planned)
    return false;
  return options.target != Target::Cpu || printsKernels();
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

Work Compilation::plainWork() {
  OwningOpRef<ModuleOp> copy = module->clone();
  PassManager manager(&context);
  addDifferentiatePhase(manager);
  return succeeded(manager.run(*copy)) ? workOf(copy->lookupSymbol<func::FuncOp>("train_step")) : Work();
}

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
    explanation->setTotals(plain, workOf(trainStep()));
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
