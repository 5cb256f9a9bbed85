// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/target/EmitKernels.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/NVGPUToNVVM/NVGPUToNVVM.h"
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
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <csignal>

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
  passes.addPass(createConvertNVGPUToNVVMPass());
  // In this order: only the second one knows shared memory.
  ConvertGpuOpsToNVVMOpsOptions options;
  options.indexBitwidth = 64;
  passes.addPass(createConvertGpuOpsToNVVMOps(options));
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  passes.addPass(createCSEPass());
  if (failed(manager.run(*alone)))
    return nullptr;
  return alone;
}

// As for a CPU, but that nothing is moved out of loops: ptxas does that itself, and knows how many registers there are.
// A softmax's sweep, whose rows are in registers, would have the tf32 parts of all of them there too, and spill.
static constexpr llvm::StringLiteral kPipeline =
    "function(sroa,early-cse,simplifycfg),"
    "function(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg,early-cse<memssa>)";

/// Upstream's conversion calls libdevice for what an instruction does: that instruction instead.
static void useInstructions(llvm::Module &module) {
  constexpr std::pair<llvm::StringLiteral, llvm::Intrinsic::ID> known[] = {{"__nv_sqrtf", llvm::Intrinsic::sqrt},
                                                                           {"__nv_floorf", llvm::Intrinsic::floor},
                                                                           {"__nv_fmaf", llvm::Intrinsic::fma},
                                                                           {"__nv_fabsf", llvm::Intrinsic::fabs},
                                                                           {"__nv_exp2f", llvm::Intrinsic::exp2}};
  for (auto [name, instruction] : known)
    if (llvm::Function *function = module.getFunction(name)) {
      function->replaceAllUsesWith(
          llvm::Intrinsic::getOrInsertDeclaration(&module, instruction, {function->getReturnType()}));
      function->eraseFromParent();
    }
}

/// What threads change at once is one word each, which later kernels read: no order among other words, and no more than
/// the device has to agree. Upstream's conversion asks for both of the whole system.
static void relaxAtomics(llvm::Module &module) {
  llvm::SyncScope::ID device = module.getContext().getOrInsertSyncScopeID("device");
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function)) {
      if (auto *exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction)) {
        exchange->setSuccessOrdering(llvm::AtomicOrdering::Monotonic);
        exchange->setFailureOrdering(llvm::AtomicOrdering::Monotonic);
        exchange->setSyncScopeID(device);
      } else if (auto *update = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction)) {
        update->setOrdering(llvm::AtomicOrdering::Monotonic);
        update->setSyncScopeID(device);
      }
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
  relaxAtomics(*module);
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
  std::optional<std::string> wish = llvm::sys::Process::GetEnv("TOWER_CUDA_TOOLKIT");
  std::string toolkit = wish.value_or(TOWERC_CUDA_TOOLKIT);
  if (toolkit.empty())
    return std::nullopt;
  SmallString<128> folder(toolkit);
  llvm::sys::path::append(folder, "bin");
  llvm::ErrorOr<std::string> found = std::make_error_code(std::errc::no_such_file_or_directory);
  // Who names a toolkit wants no other.
  if (!wish)
    found = llvm::sys::findProgramByName("ptxas");
  if (!found)
    found = llvm::sys::findProgramByName("ptxas", {StringRef(folder)});
  return found ? std::optional(*found) : std::nullopt;
}

FailureOr<std::unique_ptr<Assembly>> Assembly::start(StringRef assembler, StringRef ptx, int architecture,
                                                     llvm::raw_ostream &errors) {
  auto fail = [&](const llvm::Twine &message) {
    errors << "error: " << message << "\n";
    return failure();
  };
  std::unique_ptr<Assembly> assembly(new Assembly);
  assembly->assembler = assembler.str();
  assembly->architecture = architecture;
  for (auto [file, suffix] :
       {std::pair(&assembly->source, "ptx"), {&assembly->object, "cubin"}, {&assembly->log, "log"}}) {
    SmallString<128> path;
    if (std::error_code code = llvm::sys::fs::createTemporaryFile("towerc", suffix, path))
      return fail("cannot make a temporary file: " + code.message());
    *file = path.str().str();
  }
  std::error_code code;
  llvm::raw_fd_ostream file(assembly->source, code);
  file << ptx;
  file.close();
  if (code || file.has_error()) {
    file.clear_error();
    return fail("cannot write " + assembly->source);
  }
  std::string flag = "-arch=sm_" + std::to_string(architecture);
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(assembly->log), StringRef(assembly->log)};
  std::string message;
  assembly->process = llvm::sys::ExecuteNoWait(
      assembler, {assembler, flag, "-v", assembly->source, "-o", assembly->object}, std::nullopt, redirects,
      /*MemoryLimit=*/0, &message);
  if (assembly->process.Pid == llvm::sys::ProcessInfo::InvalidPid)
    return fail("cannot run " + assembler + ": " + message);
  return assembly;
}

FailureOr<std::vector<char>> Assembly::finish(std::string *report, llvm::raw_ostream &errors) {
  llvm::sys::ProcessInfo done = llvm::sys::Wait(process, /*SecondsToWait=*/std::nullopt);
  process.Pid = llvm::sys::ProcessInfo::InvalidPid;
  auto said = llvm::MemoryBuffer::getFile(log);
  if (done.ReturnCode != 0) {
    errors << "error: " << assembler << " for sm_" << architecture
           << " failed: " << (said ? (*said)->getBuffer().take_front(2000) : StringRef()) << "\n";
    return failure();
  }
  if (report && said)
    *report = (*said)->getBuffer().str();
  auto cubin = llvm::MemoryBuffer::getFile(object, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!cubin) {
    errors << "error: cannot read what " << assembler << " wrote\n";
    return failure();
  }
  return std::vector<char>((*cubin)->getBufferStart(), (*cubin)->getBufferEnd());
}

Assembly::~Assembly() {
  // A compilation that failed elsewhere waits for nothing that it needs.
  if (process.Pid != llvm::sys::ProcessInfo::InvalidPid) {
    ::kill(process.Pid, SIGTERM);
    llvm::sys::Wait(process, /*SecondsToWait=*/std::nullopt);
  }
  for (const std::string &path : {source, object, log})
    if (!path.empty())
      llvm::sys::fs::remove(path);
}

} // namespace tower
