// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles IR for this machine.
#include "test/unit/Jit.h"
#include "dialect/Tower.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "passes/Passes.h"
#include "llvm/Support/TargetSelect.h"
#include <cstdio>
#include <cstdlib>

namespace tower::test {

struct Jit::Parts {
  mlir::MLIRContext context;
  std::unique_ptr<mlir::ExecutionEngine> engine;
};

Jit::Jit(std::unique_ptr<Parts> parts) : parts(std::move(parts)) {}
Jit::~Jit() = default;

namespace {

/// What follows our passes.
constexpr const char *kToLLVM =
    "convert-linalg-to-loops,canonicalize,cse,convert-vector-to-scf,convert-scf-to-cf,expand-strided-metadata,"
    "lower-affine,convert-vector-to-llvm,finalize-memref-to-llvm,convert-math-to-llvm,convert-arith-to-llvm,"
    "convert-cf-to-llvm,convert-func-to-llvm,reconcile-unrealized-casts";

void initializeOnce() {
  static bool done = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    mlir::registerAllPasses();
    registerTowerPasses();
    return true;
  }();
  (void)done;
}

bool run(mlir::ModuleOp module, const std::string &passes) {
  mlir::PassManager manager(module.getContext());
  return mlir::succeeded(mlir::parsePassPipeline(passes, manager)) && mlir::succeeded(manager.run(module));
}

/// Gives every allocation of static size a fixed place, as the memory planner does.
void placeScratch(mlir::ModuleOp module) {
  llvm::SmallVector<mlir::memref::AllocOp> allocations;
  module.walk([&](mlir::memref::AllocOp op) {
    if (op.getType().hasStaticShape())
      allocations.push_back(op);
  });
  for (auto [i, op] : llvm::enumerate(allocations)) {
    std::string name = "scratch" + std::to_string(i);
    mlir::OpBuilder builder = mlir::OpBuilder::atBlockBegin(module.getBody());
    mlir::memref::GlobalOp::create(builder, op.getLoc(), name, builder.getStringAttr("private"), op.getType(),
                                   builder.getUnitAttr(), /*constant=*/false, builder.getI64IntegerAttr(64));
    builder.setInsertionPoint(op);
    op.replaceAllUsesWith(mlir::memref::GetGlobalOp::create(builder, op.getLoc(), op.getType(), name).getResult());
    op.erase();
  }
}

} // namespace

std::unique_ptr<Jit> Jit::compile(const std::string &source, const std::string &passes) {
  initializeOnce();
  auto parts = std::make_unique<Parts>();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  registry.insert<TowerDialect>();
  mlir::registerAllExtensions(registry);
  mlir::registerAllToLLVMIRTranslations(registry);
  parts->context.appendDialectRegistry(registry);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(source, &parts->context);
  if (!module)
    return nullptr;
  if (!run(*module, passes))
    return nullptr;
  placeScratch(*module);
  if (!run(*module, kToLLVM))
    return nullptr;
  mlir::ExecutionEngineOptions options;
  options.jitCodeGenOptLevel = llvm::CodeGenOptLevel::Default;
  options.enableGDBNotificationListener = false;
  options.enablePerfNotificationListener = false;
  auto engine = mlir::ExecutionEngine::create(*module, options);
  if (!engine) {
    std::fprintf(stderr, "%s\n", llvm::toString(engine.takeError()).c_str());
    return nullptr;
  }
  parts->engine = std::move(*engine);
  return std::unique_ptr<Jit>(new Jit(std::move(parts)));
}

void *Jit::address(const std::string &symbol) const {
  auto found = parts->engine->lookup(symbol);
  if (!found) {
    std::fprintf(stderr, "%s\n", llvm::toString(found.takeError()).c_str());
    std::abort();
  }
  return *found;
}

} // namespace tower::test
