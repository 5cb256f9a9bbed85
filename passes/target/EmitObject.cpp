// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/target/EmitObject.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "passes/target/RunPasses.h"
#include "runtime/tower_abi.h"
#include "llvm/CodeGen/TargetSubtargetInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;

namespace tower {
namespace {

const llvm::Target *nativeTarget(const llvm::Triple &triple, std::string &error) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  return llvm::TargetRegistry::lookupTarget(triple, error);
}

std::unique_ptr<llvm::TargetMachine> makeMachine(const TargetDescription &target) {
  llvm::Triple triple(target.triple);
  std::string error;
  const llvm::Target *found = nativeTarget(triple, error);
  llvm::TargetOptions options;
  // A product and a sum become one fused operation only where the IR says so: the same bits from every optimizer.
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(
      triple, target.cpu, target.features, options, llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Less));
}

// Loops are generated as they should be: blocked, vectorized, with sums in their order. What is left for LLVM is to
// clean up after the conversion, inline, and move what does not change out of loops. The whole of -O2 takes eight times
// as long, for code that is no faster. Nor is code generation at its second level, which takes a fifth longer.
constexpr llvm::StringLiteral kPipeline =
    "function(sroa,early-cse,simplifycfg),cgscc(inline),globaldce,"
    "function(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm),loop(loop-idiom),"
    "early-cse<memssa>)";

std::unique_ptr<llvm::Module> optimize(ModuleOp module, llvm::TargetMachine &machine, llvm::LLVMContext &context) {
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  std::unique_ptr<llvm::Module> llvmModule = translateModuleToLLVMIR(module, context, "towerc");
  if (!llvmModule) {
    module.emitError("cannot be translated to LLVM IR");
    return nullptr;
  }
  llvmModule->setTargetTriple(machine.getTargetTriple());
  llvmModule->setDataLayout(machine.createDataLayout());
  for (llvm::Function &function : *llvmModule) {
    if (function.isDeclaration())
      continue;
    if (!function.hasFnAttribute("target-cpu")) {
      function.addFnAttr("target-cpu", machine.getTargetCPU());
      function.addFnAttr("target-features", machine.getTargetFeatureString());
    }
    // Processors with AVX-512 are told apart by cost tables; generated loops want its full width where products use it.
    if (machine.getSubtargetImpl(function)->checkFeatures("+avx512f"))
      function.addFnAttr("prefer-vector-width", "512");
  }
  if (llvm::Error error = runPasses(*llvmModule, machine, kPipeline)) {
    module.emitError() << llvm::toString(std::move(error));
    return nullptr;
  }
  return llvmModule;
}

LogicalResult emitMachineCode(ModuleOp module, const TargetDescription &target, llvm::raw_pwrite_stream &os,
                              llvm::CodeGenFileType type) {
  std::unique_ptr<llvm::TargetMachine> machine = makeMachine(target);
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule = optimize(module, *machine, context);
  if (!llvmModule)
    return failure();
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, os, nullptr, type))
    return module.emitError("this target cannot emit files of this kind");
  passes.run(*llvmModule);
  return success();
}

} // namespace

static FailureOr<TargetDescription> describeTarget(llvm::StringRef cpu, llvm::raw_ostream &errors) {
  TargetDescription result;
  result.triple = llvm::sys::getDefaultTargetTriple();
  llvm::Triple triple(result.triple);
  std::string error;
  const llvm::Target *target = nativeTarget(triple, error);
  if (!target) {
    errors << "error: LLVM knows no target for this machine (" << result.triple << "): " << error << "\n";
    return failure();
  }
  llvm::SmallVector<std::string> features;
  if (cpu == "native") {
    result.cpu = llvm::sys::getHostCPUName().str();
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      features.push_back((feature.second ? "+" : "-") + feature.first().str());
    llvm::sort(features);
    result.features = llvm::join(features, ",");
  } else {
    result.cpu = cpu.str();
  }
  std::unique_ptr<llvm::MCSubtargetInfo> info(target->createMCSubtargetInfo(triple, "", ""));
  if (!info->isCPUStringValid(result.cpu)) {
    errors << "error: --cpu: '" << cpu << "' is unknown; allowed are native, multi, x86-64-v3, x86-64-v4 and LLVM's "
           << "names of processors, as in znver4\n";
    return failure();
  }
  info.reset(target->createMCSubtargetInfo(triple, result.cpu, result.features));
  auto has = [&](const char *feature) { return info->checkFeatures(std::string("+") + feature); };
  if (!has("avx2") || !has("fma")) {
    errors << "error: --cpu: " << result.cpu << " has no AVX2 with FMA, which products are generated for; the least is "
           << "x86-64-v3\n";
    return failure();
  }
  result.vectorWidth = has("avx512f") ? 16 : 8;
  result.dotBf16 = has("avx512bf16");
  // Measured (products-benchmark TN): Zen 4 fetches such lines as fast as it multiplies, Skylake at half that rate.
  result.copyTransposed = result.vectorWidth == 16 && !llvm::StringRef(result.cpu).starts_with("znver");
#define TOWER_NEED(name)                                                                                               \
  if (has(name))                                                                                                       \
    result.needs.push_back(name);
  TOWER_CPU_FEATURES(TOWER_NEED)
#undef TOWER_NEED
  return result;
}

FailureOr<std::vector<TargetDescription>> describeTargets(llvm::StringRef cpu, llvm::raw_ostream &errors) {
  // The one to prefer comes first.
  llvm::SmallVector<llvm::StringRef> names{cpu};
  if (cpu == "multi")
    names = {"x86-64-v4", "x86-64-v3"};
  std::vector<TargetDescription> targets;
  for (llvm::StringRef name : names) {
    FailureOr<TargetDescription> target = describeTarget(name, errors);
    if (failed(target))
      return failure();
    targets.push_back(*target);
  }
  return targets;
}

void markTarget(ModuleOp module, const TargetDescription &target) {
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    if (function.isExternal())
      continue;
    function.setTargetCpu(target.cpu);
    if (!target.features.empty())
      function.setTargetFeaturesAttr(LLVM::TargetFeaturesAttr::get(module.getContext(), target.features));
  }
}

LogicalResult emitLLVM(ModuleOp module, const TargetDescription &target, llvm::raw_pwrite_stream &os) {
  std::unique_ptr<llvm::TargetMachine> machine = makeMachine(target);
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule = optimize(module, *machine, context);
  if (!llvmModule)
    return failure();
  llvmModule->print(os, nullptr);
  return success();
}

LogicalResult emitAssembly(ModuleOp module, const TargetDescription &target, llvm::raw_pwrite_stream &os) {
  return emitMachineCode(module, target, os, llvm::CodeGenFileType::AssemblyFile);
}

LogicalResult emitObject(ModuleOp module, const TargetDescription &target, llvm::raw_pwrite_stream &os) {
  return emitMachineCode(module, target, os, llvm::CodeGenFileType::ObjectFile);
}

} // namespace tower
