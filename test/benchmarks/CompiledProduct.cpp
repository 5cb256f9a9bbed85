// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/benchmarks/CompiledProduct.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "passes/EntryPoints.h"
#include "passes/Pipelines.h"
#include "passes/PlanMemory.h"
#include "runtime/Memory.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstdlib>
#include <cstring>

using namespace mlir;

namespace tower::benchmark {

struct CompiledProduct::Parts {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  rt::Memory arena;
  tower_entry entry = nullptr;
};

static std::string source(const Shape &s, bool bf16) {
  bool ta = s.form[0] == 'T', tb = s.form[1] == 'T';
  auto type = [](int64_t rows, int64_t columns) {
    return "memref<" + std::to_string(rows) + "x" + std::to_string(columns) + "xf32>";
  };
  std::string a = ta ? type(s.k, s.m) : type(s.m, s.k), b = tb ? type(s.n, s.k) : type(s.k, s.n), c = type(s.m, s.n);
  return "func.func @f(%a: " + a + ", %b: " + b + ", %c: " + c +
         ") {\n  linalg.matmul indexing_maps = [affine_map<(m, n, k) -> " + (ta ? "(k, m)" : "(m, k)") +
         ">, affine_map<(m, n, k) -> " + (tb ? "(n, k)" : "(k, n)") +
         ">, affine_map<(m, n, k) -> (m, n)>] {tower.overwrite" + (bf16 ? ", tower.bf16" : "") + "} ins(%a, %b : " + a +
         ", " + b + ") outs(%c : " + c + ")\n  return\n}\n";
}

template <typename T> static T orEnd(llvm::Expected<T> value) {
  if (value)
    return std::move(*value);
  llvm::errs() << "error: " << llvm::toString(value.takeError()) << "\n";
  std::exit(1);
}

CompiledProduct::CompiledProduct(const Shape &shape, const TargetDescription &target, bool bf16)
    : parts(std::make_unique<Parts>()) {
  DialectRegistry registry;
  registerTowerDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  auto module = parseSourceString<ModuleOp>(source(shape, bf16), &context);
  auto run = [&](llvm::function_ref<void(OpPassManager &)> build) {
    PassManager manager(&context);
    build(manager);
    if (failed(manager.run(*module)))
      std::exit(1);
  };
  run([&](OpPassManager &manager) { addPlanPhase(manager, target.vectorWidth, target.dotBf16, target.copyTransposed); });
  parts->arena = rt::Memory(static_cast<size_t>(arenaBytes(*module)["f"]));
  run(addLLVMPhase);
  attachProgram(*module, "{}");
  SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  if (failed(emitObject(*module, target, stream)))
    std::exit(1);
  parts->jit = orEnd(llvm::orc::LLJITBuilder().create());
  llvm::orc::SymbolMap symbols;
  auto define = [&](const char *name, auto *function) {
    symbols[parts->jit->mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(function),
                                                  llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
  };
  define("tower_rt_parallel", tower_rt_parallel);
  define("memcpy", static_cast<void *(*)(void *, const void *, size_t)>(memcpy));
  define("memset", static_cast<void *(*)(void *, int, size_t)>(memset));
  llvm::cantFail(parts->jit->getMainJITDylib().define(llvm::orc::absoluteSymbols(std::move(symbols))));
  llvm::cantFail(parts->jit->addObjectFile(
      llvm::MemoryBuffer::getMemBufferCopy(StringRef(object.data(), object.size()), "product.o")));
  parts->entry = orEnd(parts->jit->lookup("tower_program")).toPtr<const tower_program_v1 *>()->entries[0];
}

CompiledProduct::~CompiledProduct() = default;

void CompiledProduct::run(const float *a, const float *b, float *c, rt::Pool &pool) {
  void *buffers[] = {const_cast<float *>(a), const_cast<float *>(b), c};
  tower_call call{buffers, nullptr, parts->arena.data(), &pool};
  parts->entry(&call);
}

} // namespace tower::benchmark
