// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Pipelines.h"
#include "dialect/Tower.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"

using namespace mlir;

namespace tower {

void registerTowerDialects(DialectRegistry &registry) {
  registry.insert<TowerDialect, LLVM::LLVMDialect, affine::AffineDialect, arith::ArithDialect, cf::ControlFlowDialect,
                  func::FuncDialect, gpu::GPUDialect, index::IndexDialect, linalg::LinalgDialect, math::MathDialect,
                  memref::MemRefDialect, NVVM::NVVMDialect, nvgpu::NVGPUDialect, scf::SCFDialect, ub::UBDialect,
                  vector::VectorDialect>();
  func::registerInlinerExtension(registry);
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  index::registerConvertIndexToLLVMInterface(registry);
  registerConvertFuncToLLVMInterface(registry);
  registerConvertMathToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  ub::registerConvertUBToLLVMInterface(registry);
  vector::registerConvertVectorToLLVMInterface(registry);
}

void addBuildPhase(OpPassManager &passes) {
  passes.addPass(createBuildStep());
  // One sample of pairs and rows serves all that ask for it.
  passes.addPass(createCSEPass());
}

void addDifferentiatePhase(OpPassManager &passes) {
  passes.addPass(createDifferentiate());
  // Also drops what no result needs, as a gradient of one operand that nobody asked for.
  passes.addPass(createCSEPass());
  passes.addPass(createCanonicalizerPass());
}

namespace {
/// What an optimization is made with.
struct Wishes {
  int64_t memoryBudget = 0;
  bool forGpu = false;
};
struct Optimization {
  StringRef name;
  std::unique_ptr<Pass> (*create)(const Wishes &);
};
// In their order, before differentiation and after it.
constexpr Optimization kSimplifying[] = {
    {"distinct-rows", [](const Wishes &) { return createDistinctRows(); }},
    {"batch-towers", [](const Wishes &) { return createBatchTowers(); }},
    {"project-vocabularies",
     [](const Wishes &w) {
       return createProjectVocabularies({/*always=*/false, w.forGpu});
     }},
};
constexpr Optimization kFusing[] = {
    {"fuse-losses", [](const Wishes &) { return createFuseLosses(); }},
    {"skip-masked", [](const Wishes &) { return createSkipMasked(); }},
    {"fuse-epilogues", [](const Wishes &) { return createFuseEpilogues(); }},
    {"fuse-updates", [](const Wishes &) { return createFuseUpdates(); }},
    {"recompute", [](const Wishes &w) { return createRecompute({w.memoryBudget}); }},
};
} // namespace

ArrayRef<StringRef> optimizations() {
  static const auto names = [] {
    SmallVector<StringRef> all;
    for (ArrayRef<Optimization> phase : {ArrayRef(kSimplifying), ArrayRef(kFusing)})
      for (const Optimization &optimization : phase)
        all.push_back(optimization.name);
    return all;
  }();
  return names;
}

static void addAll(OpPassManager &passes, ArrayRef<Optimization> phase, ArrayRef<std::string> disabled,
                   const Wishes &wishes) {
  for (const Optimization &optimization : phase)
    if (!llvm::is_contained(disabled, optimization.name))
      passes.addPass(optimization.create(wishes));
}

void addSimplifyPhase(OpPassManager &passes, ArrayRef<std::string> disabled, bool forGpu) {
  addAll(passes, kSimplifying, disabled, {/*memoryBudget=*/0, forGpu});
  // What was replaced goes.
  passes.addPass(createCSEPass());
}

void addFusePhase(OpPassManager &passes, ArrayRef<std::string> disabled, int64_t memoryBudget) {
  addAll(passes, kFusing, disabled, {memoryBudget});
}

void addLowerPhase(OpPassManager &passes) {
  passes.addPass(createLowerTower());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
}

void addPlanPhase(OpPassManager &passes, int64_t vectorWidth, bool dotBf16, bool copyTransposed) {
  passes.addPass(createLowerProducts({vectorWidth, dotBf16, copyTransposed}));
  passes.addPass(createConvertLinalgToLoopsPass());
  passes.addPass(createApproximateMath());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createPlanMemory());
}

void addKernelPhase(OpPassManager &passes) { addKernelPhase(passes, kGpuChain); }

void addKernelPhase(OpPassManager &passes, int64_t chain) {
  passes.addPass(createLowerTower({/*gpu=*/true, chain}));
  passes.addPass(createInlinerPass());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createFormKernels());
  passes.addPass(createLowerKernelProducts());
  // Constants in the way of memory that is the same.
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createMergeKernels());
  passes.addPass(createApproximateMath());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(createPlanMemory());
}

static void addConversion(OpPassManager &passes) {
  passes.addPass(createMakeEntryPoints());
  passes.addPass(memref::createExpandStridedMetadataPass());
  passes.addPass(createLowerAffinePass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createConvertToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  passes.addPass(createCSEPass());
}

void addHostPhase(OpPassManager &passes) {
  passes.addPass(createHostProgram());
  addConversion(passes);
}

void addLLVMPhase(OpPassManager &passes) {
  passes.addPass(createOutlineParallel());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  addConversion(passes);
}

namespace {
struct PlanOptions : PassPipelineOptions<PlanOptions> {
  Option<int> vectorWidth{*this, "vector-width", llvm::cl::desc("f32 elements of a vector register"),
                          llvm::cl::init(16)};
};
} // namespace

void registerTowerPipelines() {
  static PassPipelineRegistration<> build("tower-build-phase", "Declared model to dataflow", addBuildPhase);
  static PassPipelineRegistration<> differentiate("tower-differentiate-phase", "Write out the backward pass",
                                                  addDifferentiatePhase);
  static PassPipelineRegistration<> simplify("tower-simplify-phase",
                                             "All optimizations of the step before its gradient",
                                             [](OpPassManager &passes) { addSimplifyPhase(passes); });
  static PassPipelineRegistration<> fuse("tower-fuse-phase", "All optimizations of the differentiated step",
                                         [](OpPassManager &passes) { addFusePhase(passes); });
  static PassPipelineRegistration<> lower("tower-lower-phase", "Dataflow to loops over memory", addLowerPhase);
  static PassPipelineRegistration<PlanOptions> plan(
      "tower-plan-phase", "Products to loops, buffers into the arena",
      [](OpPassManager &passes, const PlanOptions &options) { addPlanPhase(passes, options.vectorWidth); });
  static PassPipelineRegistration<> kernels("tower-kernel-phase",
                                            "Dataflow to kernels of a GPU and the program that launches them",
                                            [](OpPassManager &passes) { addKernelPhase(passes); });
  static PassPipelineRegistration<> host("tower-host-phase", "The host's program of a GPU to the LLVM dialect",
                                         addHostPhase);
  static PassPipelineRegistration<> llvm("tower-llvm-phase", "Planned loops to the LLVM dialect", addLLVMPhase);
  static PassPipelineRegistration<PlanOptions> all(
      "tower-pipeline", "All phases behind the declared model and its backward pass: dataflow to the LLVM dialect",
      [](OpPassManager &passes, const PlanOptions &options) {
        addFusePhase(passes);
        addLowerPhase(passes);
        addPlanPhase(passes, options.vectorWidth);
        addLLVMPhase(passes);
      });
}

} // namespace tower
