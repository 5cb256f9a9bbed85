// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/target/EmitKernels.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "passes/target/RunPasses.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace tower {

OwningOpRef<ModuleOp> lowerKernels(ModuleOp module) {
  OpBuilder b(module.getContext());
  OwningOpRef<ModuleOp> alone = ModuleOp::create(module.getLoc());
  b.setInsertionPointToEnd(alone->getBody());
  auto together = gpu::GPUModuleOp::create(b, module.getLoc(), "kernels");
  b.setInsertionPointToStart(together.getBody());
  for (auto kernels : module.getOps<gpu::GPUModuleOp>())
    for (auto kernel : kernels.getOps<gpu::GPUFuncOp>())
      b.clone(*kernel);
  PassManager manager(module.getContext());
  OpPassManager &passes = manager.nest<gpu::GPUModuleOp>();
  passes.addPass(memref::createExpandStridedMetadataPass());
  passes.addPass(createLowerAffinePass());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertVectorToLLVMPass());
  ConvertGpuOpsToNVVMOpsOptions options;
  options.indexBitwidth = 64;
  passes.addPass(createConvertGpuOpsToNVVMOps(options));
  passes.addPass(createReconcileUnrealizedCastsPass());
  passes.addPass(createCSEPass());
  if (failed(manager.run(*alone)))
    return nullptr;
  return alone;
}

// As for a CPU, but that LLVM unrolls: registers are many and indices of arrays must be constants to be in them.
static constexpr llvm::StringLiteral kPipeline =
    "function(sroa,early-cse,simplifycfg),"
    "function(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm),early-cse<memssa>)";

/// Upstream's conversion calls libdevice for what an instruction does: that instruction instead.
static void useInstructions(llvm::Module &module) {
  constexpr std::pair<llvm::StringLiteral, llvm::Intrinsic::ID> known[] = {{"__nv_sqrtf", llvm::Intrinsic::sqrt},
                                                                           {"__nv_floorf", llvm::Intrinsic::floor},
                                                                           {"__nv_fmaf", llvm::Intrinsic::fma},
                                                                           {"__nv_fabsf", llvm::Intrinsic::fabs}};
  for (auto [name, instruction] : known)
    if (llvm::Function *function = module.getFunction(name)) {
      function->replaceAllUsesWith(
          llvm::Intrinsic::getOrInsertDeclaration(&module, instruction, {function->getReturnType()}));
      function->eraseFromParent();
    }
}

FailureOr<std::string> emitPtx(ModuleOp kernels) {
  registerBuiltinDialectTranslation(*kernels.getContext());
  registerGPUDialectTranslation(*kernels.getContext());
  registerLLVMDialectTranslation(*kernels.getContext());
  registerNVVMDialectTranslation(*kernels.getContext());
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return kernels.emitError() << "LLVM has no target for NVIDIA's GPUs: " << error;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  std::string architecture = "sm_" + std::to_string(kArchitectures[0]);
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, architecture, "+ptx78", options, std::nullopt, std::nullopt, llvm::CodeGenOptLevel::Default));
  auto container = *kernels.getOps<gpu::GPUModuleOp>().begin();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(container, context, "kernels");
  if (!module)
    return kernels.emitError("kernels cannot be translated to LLVM IR");
  module->setTargetTriple(triple);
  module->setDataLayout(machine->createDataLayout());
  useInstructions(*module);
  for (llvm::Function &function : *module)
    if (function.isDeclaration() && !function.isIntrinsic() && !function.use_empty())
      return kernels.emitError() << "a kernel calls " << function.getName() << ", which nothing defines";
  if (llvm::Error failed = runPasses(*module, *machine, kPipeline))
    return kernels.emitError() << llvm::toString(std::move(failed));
  SmallVector<char, 0> text;
  llvm::raw_svector_ostream os(text);
  llvm::legacy::PassManager emit;
  if (machine->addPassesToEmitFile(emit, os, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return kernels.emitError("LLVM cannot write PTX");
  emit.run(*module);
  return std::string(text.data(), text.size());
}

std::optional<std::string> findAssembler() {
  std::string toolkit = llvm::sys::Process::GetEnv("TOWER_CUDA_TOOLKIT").value_or("/usr/local/cuda");
  SmallString<128> folder(toolkit);
  llvm::sys::path::append(folder, "bin");
  StringRef inToolkit = folder;
  for (ArrayRef<StringRef> folders : {ArrayRef<StringRef>(), ArrayRef(inToolkit)})
    if (llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("ptxas", folders))
      return *found;
  return std::nullopt;
}

FailureOr<std::vector<char>> assemble(StringRef assembler, StringRef ptx, int architecture, std::string *report,
                                      llvm::raw_ostream &errors) {
  SmallString<128> source, object, log;
  auto fail = [&](const llvm::Twine &message) {
    errors << "error: " << message << "\n";
    return failure();
  };
  for (auto [path, suffix] : {std::pair(&source, "ptx"), std::pair(&object, "cubin"), std::pair(&log, "log")})
    if (std::error_code code = llvm::sys::fs::createTemporaryFile("towerc", suffix, *path))
      return fail("cannot make a temporary file: " + code.message());
  llvm::FileRemover removeSource(source), removeObject(object), removeLog(log);
  {
    std::error_code code;
    llvm::raw_fd_ostream file(source, code);
    file << ptx;
  }
  std::string flag = "-arch=sm_" + std::to_string(architecture);
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(log), StringRef(log)};
  int status =
      llvm::sys::ExecuteAndWait(assembler, {assembler, flag, "-v", source, "-o", object}, std::nullopt, redirects);
  auto said = llvm::MemoryBuffer::getFile(log);
  if (status != 0)
    return fail(assembler + " " + flag + " failed: " + (said ? (*said)->getBuffer().take_front(2000) : StringRef()));
  if (report && said)
    *report = (*said)->getBuffer().str();
  auto cubin = llvm::MemoryBuffer::getFile(object, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!cubin)
    return fail("cannot read what " + assembler + " wrote");
  return std::vector<char>((*cubin)->getBufferStart(), (*cubin)->getBufferEnd());
}

} // namespace tower
