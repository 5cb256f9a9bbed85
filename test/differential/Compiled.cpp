// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/differential/Compiled.h"
#include "frontend/Importer.h"
#include "frontend/ManifestWriter.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "passes/EntryPoints.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "passes/PlanMemory.h"
#include "passes/StepMemory.h"
#include "passes/target/EmitObject.h"
#include "test/gpu/Device.h"
#include "test/gpu/HostForm.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"

using namespace mlir;
using namespace tower;
using namespace tower::differential;

// Made once: asking a machine what it is takes a while.
static const TargetDescription &nativeTarget() {
  static const TargetDescription target = describeTargets("native", llvm::errs())->front();
  return target;
}

/// The device's memory is the host's.
static thread_local std::vector<std::unique_ptr<char[]>> staged;

static void *stage(tower_rt *, int64_t bytes) {
  staged.push_back(std::make_unique<char[]>(bytes));
  return staged.back().get();
}
static void upload(tower_rt *, void *device, const void *host, int64_t bytes) { std::memcpy(device, host, bytes); }
static void launch(tower_rt *, const tower_kernel *kernel, int64_t blocks, int64_t warps, void *const *arguments,
                   int64_t) {
  gpu_test::launch(*kernel, blocks, warps, arguments);
}

Compiled::Compiled(TestModel &model, Coverage &coverage, Failures &failures, lower::Machine machine) {
  const TargetDescription &target = nativeTarget();
  OwningOpRef<ModuleOp> module = importModel(*model.spec, &model.context);
  auto phase = [&](const char *name, llvm::function_ref<void(OpPassManager &)> build) {
    PassManager manager(&model.context);
    build(manager);
    if (runPasses(manager, *module, coverage))
      return true;
    failures.push_back(std::string(name) + " failed: " + model.takeMessages());
    return false;
  };
  if (!phase("build", addBuildPhase))
    return;
  ManifestWriter manifest(*model.spec, *module, target);
  // In a third of them bf16 is multiplied as on processors that do not do so themselves.
  bool dotBf16 = target.dotBf16 && model.seed % 3;
  auto plan = [&](OpPassManager &manager) { addPlanPhase(manager, target.vectorWidth, dotBf16, model.seed % 2); };
  // In a quarter of them losses and their gradients stay apart, which no model asks for.
  auto fuse = [&](OpPassManager &manager) {
    std::vector<std::string> disabled{"recompute"};
    if (model.seed % 4 == 3)
      disabled.push_back("fuse-losses");
    addFusePhase(manager, disabled);
  };
  // Less memory than the step needs, a little or much; in a few models more.
  auto memory = [&] { return StepMemory(model.trainStep(*module)).peak(); };
  auto recompute = [&](OpPassManager &manager) {
    manager.addPass(createRecompute({int64_t(double(memory()) * model.dice.between(0.3, 1.05))}));
  };
  bool onGpu = machine == lower::Machine::Gpu;
  // In half of the models also where it does not pay.
  auto simplify = [&](OpPassManager &manager) {
    if (model.seed % 2)
      manager.addPass(createDistinctRows({/*always=*/true}));
    if (model.seed % 4 >= 2)
      manager.addPass(createProjectVocabularies({/*always=*/true}));
    addSimplifyPhase(manager, {}, onGpu);
  };
  if (!phase("simplify", simplify))
    return;
  module->walk([&](InBatchSoftmaxOp op) {
    if (op.getQueryRows())
      coverage.countCase(op.getIds() ? "equal queries of a softmax, copies of positives left out"
                                     : "equal queries of a softmax");
  });
  if (!phase("differentiate", addDifferentiatePhase) || !phase("fuse", fuse) || !phase("recompute", recompute))
    return;
  int64_t estimated = memory();
  dataflow = module->clone();
  // In half of them sums are cut as in batches of thousands.
  auto kernels = [&](OpPassManager &manager) { addKernelPhase(manager, model.seed % 2 ? kGpuChain : 4); };
  if (onGpu ? !phase("kernels", kernels) : !phase("lower", addLowerPhase) || !phase("plan", plan))
    return;
  std::map<std::string, int64_t> arenas = arenaBytes(*module);
  int64_t planned = arenas["train_step"];
  if (!onGpu && (double(planned) > 1.1 * double(estimated) || double(estimated) > 1.25 * double(planned)))
    failures.push_back("the step's memory is " + std::to_string(planned) +
                       " bytes, estimated: " + std::to_string(estimated));
  auto arguments = [](OpPassManager &manager) { manager.addPass(createKernelArguments()); };
  if (onGpu && !phase("arguments", arguments))
    return;
  if (onGpu && failed(gpu_test::makeHostForms(*module))) {
    failures.push_back("no host forms: " + model.takeMessages());
    return;
  }
  if (!phase("convert", onGpu ? addHostPhase : addLLVMPhase))
    return;
  attachProgram(*module, manifest.write(arenas));
  SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  if (failed(emitObject(*module, target, stream)))
    failures.push_back("no object: " + model.takeMessages());
  else
    load(StringRef(object.data(), object.size()), failures);
}

Compiled::~Compiled() = default;

bool Compiled::load(StringRef object, Failures &failures) {
  auto check = [&](llvm::Error error) {
    if (!error)
      return true;
    failures.push_back("the object cannot be loaded: " + llvm::toString(std::move(error)));
    return false;
  };
  llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> created = llvm::orc::LLJITBuilder().create();
  if (!created)
    return check(created.takeError());
  jit = std::move(*created);
  llvm::orc::SymbolMap runtime;
  auto define = [&](const char *name, auto *function) {
    runtime[jit->mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(function),
                                           llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
  };
  define("tower_rt_parallel", tower_rt_parallel);
  define("tower_rt_sample_pairs", tower_rt_sample_pairs);
  define("tower_rt_sample_uniform", tower_rt_sample_uniform);
  define("tower_rt_feature_mask", tower_rt_feature_mask);
  define("tower_rt_stage", stage);
  define("tower_rt_upload", upload);
  define("tower_rt_launch", launch);
  define("tower_device_place", tower_device_place);
  define("tower_device_shared", tower_device_shared);
  define("tower_device_barrier", tower_device_barrier);
  define("tower_device_sync_warp", tower_device_sync_warp);
  define("tower_device_shuffle", tower_device_shuffle);
  define("tower_device_copy", tower_device_copy);
  define("tower_device_commit_copies", tower_device_commit_copies);
  define("tower_device_wait_for_copies", tower_device_wait_for_copies);
  define("tower_device_registers", tower_device_registers);
  define("tower_device_multiply", tower_device_multiply);
  define("tower_device_to_bf16", tower_device_to_bf16);
  define("memcpy", static_cast<void *(*)(void *, const void *, size_t)>(memcpy));
  define("memset", static_cast<void *(*)(void *, int, size_t)>(memset));
  auto file = llvm::MemoryBuffer::getMemBufferCopy(object, "generated.o");
  if (!check(jit->getMainJITDylib().define(llvm::orc::absoluteSymbols(std::move(runtime)))) ||
      !check(jit->addObjectFile(std::move(file))))
    return false;
  llvm::Expected<llvm::orc::ExecutorAddr> symbol = jit->lookup("tower_program");
  if (!symbol)
    return check(symbol.takeError());
  program = symbol->toPtr<const tower_program_v1 *>();
  return true;
}

std::vector<std::string> differential::pipelinePasses() {
  MLIRContext context;
  PassManager manager(&context);
  addBuildPhase(manager);
  addSimplifyPhase(manager);
  addDifferentiatePhase(manager);
  addFusePhase(manager);
  addLowerPhase(manager);
  addPlanPhase(manager, nativeTarget().vectorWidth);
  addLLVMPhase(manager);
  addKernelPhase(manager);
  manager.addPass(createKernelArguments());
  manager.addPass(createHostProgram());
  std::vector<std::string> names;
  for (Pass &pass : manager.getPasses())
    names.push_back(pass.getArgument().str());
  return names;
}
