// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Entry points with the C signature of runtime/tower_abi.h, and the program's one exported symbol.
#include "passes/EntryPoints.h"
#include "dialect/Tower.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Frame.h"
#include "passes/Passes.h"
#include "passes/PlanMemory.h"
#include "runtime/tower_abi.h"

#include <cstddef>

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_MAKEENTRYPOINTS
#include "passes/Passes.h.inc"

namespace {

static_assert(sizeof(tower_call) == 32 && offsetof(tower_call, buffers) == 0 && offsetof(tower_call, extents) == 8 &&
              offsetof(tower_call, arena) == 16 && offsetof(tower_call, runtime) == 24);
static_assert(sizeof(tower_program_v1) == 40 && offsetof(tower_program_v1, magic) == 0 &&
              offsetof(tower_program_v1, version) == 4 && offsetof(tower_program_v1, manifest) == 8 &&
              offsetof(tower_program_v1, manifest_bytes) == 16 && offsetof(tower_program_v1, entries) == 24 &&
              offsetof(tower_program_v1, num_entries) == 32);

constexpr StringLiteral kEntry = "tower.entry";

/// i32 @NAME_entry(ptr call): takes operands out of a tower_call, calls the function, returns TOWER_OK.
void makeEntry(func::FuncOp function, const LLVMTypeConverter &converter) {
  ImplicitLocOpBuilder b(function.getLoc(), function->getContext());
  b.setInsertionPointAfter(function);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto type = LLVM::LLVMFunctionType::get(b.getI32Type(), {pointer});
  auto entry = LLVM::LLVMFuncOp::create(b, (function.getName() + "_entry").str(), type);
  entry->setAttr(kEntry, b.getUnitAttr());
  b.setInsertionPointToStart(entry.addEntryBlock(b));
  auto element = [&](Type elementType, Value base, int64_t number) -> Value {
    Value place =
        LLVM::GEPOp::create(b, pointer, elementType, base, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
    return LLVM::LoadOp::create(b, elementType, place);
  };
  Value call = entry.getArgument(0);
  Value buffers = element(pointer, call, 0), extents = element(pointer, call, 1);
  Value arena = element(pointer, call, 2), runtime = element(pointer, call, 3);
  SmallVector<Value> operands;
  int64_t extent = 0;
  // All but the last two: arena and runtime.
  for (auto [i, argument] : llvm::enumerate(function.getArgumentTypes().drop_back(2))) {
    auto memory = cast<MemRefType>(argument);
    SmallVector<Value> sizes;
    for (unsigned d = 0; d < memory.getNumDynamicDims(); ++d)
      sizes.push_back(element(b.getI64Type(), extents, extent++));
    operands.push_back(
        memrefFromPointer(b, converter, memory, element(pointer, buffers, static_cast<int64_t>(i)), sizes));
  }
  auto arenaType = cast<MemRefType>(function.getArgumentTypes().drop_back(1).back());
  operands.push_back(memrefFromPointer(b, converter, arenaType, arena, {}));
  operands.push_back(runtime);
  func::CallOp::create(b, function, operands);
  Value ok = LLVM::ConstantOp::create(b, b.getI32IntegerAttr(TOWER_OK));
  LLVM::ReturnOp::create(b, ok);
}

struct MakeEntryPoints : impl::MakeEntryPointsBase<MakeEntryPoints> {
  void runOnOperation() override {
    LLVMTypeConverter converter(&getContext());
    auto internal = LLVM::LinkageAttr::get(&getContext(), LLVM::Linkage::Internal);
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (function.isDeclaration())
        continue;
      function->setAttr("llvm.linkage", internal);
      if (function->hasAttr(kArenaBytes))
        makeEntry(function, converter);
    }
    // What was declared has served its purpose.
    for (Operation &op : llvm::make_early_inc_range(getOperation().getOps()))
      if (isa<ModelOp, TensorOp>(op))
        op.erase();
  }
};

LLVM::GlobalOp internalConstant(ImplicitLocOpBuilder &b, Type type, StringRef name, Attribute value) {
  return LLVM::GlobalOp::create(b, type, /*isConstant=*/true, LLVM::Linkage::Internal, name, value, /*alignment=*/8);
}

} // namespace

SmallVector<StringRef> entryNames(ModuleOp module) {
  SmallVector<StringRef> names;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(kArenaBytes))
      names.push_back(function.getName());
  return names;
}

void attachProgram(ModuleOp module, StringRef manifest) {
  auto b = ImplicitLocOpBuilder::atBlockEnd(module.getLoc(), module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  SmallVector<LLVM::LLVMFuncOp> entries;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    if (function->removeAttr(kEntry)) {
      entries.push_back(function);
      function.setLinkage(LLVM::Linkage::Internal);
    }
  }
  auto textType = LLVM::LLVMArrayType::get(b.getI8Type(), manifest.size() + 1);
  auto text = internalConstant(b, textType, "tower_manifest", b.getStringAttr(Twine(manifest) + StringRef("\0", 1)));
  auto listType = LLVM::LLVMArrayType::get(pointer, entries.size());
  auto list = internalConstant(b, listType, "tower_entries", {});
  auto programType = LLVM::LLVMStructType::getLiteral(
      b.getContext(), {b.getI32Type(), b.getI32Type(), pointer, b.getI64Type(), pointer, b.getI64Type()});
  auto program = LLVM::GlobalOp::create(b, programType, /*isConstant=*/true, LLVM::Linkage::External, "tower_program",
                                        Attribute(), /*alignment=*/8);
  auto initialize = [&](LLVM::GlobalOp global, auto values) {
    OpBuilder::InsertionGuard guard(b);
    b.createBlock(&global.getInitializerRegion());
    Value aggregate = LLVM::UndefOp::create(b, global.getType());
    for (auto [i, value] : llvm::enumerate(values()))
      aggregate = LLVM::InsertValueOp::create(b, aggregate, value, ArrayRef<int64_t>{static_cast<int64_t>(i)});
    LLVM::ReturnOp::create(b, aggregate);
  };
  initialize(list, [&] {
    SmallVector<Value> values;
    for (LLVM::LLVMFuncOp entry : entries)
      values.push_back(LLVM::AddressOfOp::create(b, entry));
    return values;
  });
  initialize(program, [&] {
    auto integer = [&](Type type, int64_t value) -> Value {
      return LLVM::ConstantOp::create(b, type, b.getIntegerAttr(type, value));
    };
    return SmallVector<Value>{integer(b.getI32Type(), TOWER_ABI_MAGIC), integer(b.getI32Type(), TOWER_ABI_VERSION),
                              LLVM::AddressOfOp::create(b, text),       integer(b.getI64Type(), manifest.size()),
                              LLVM::AddressOfOp::create(b, list),       integer(b.getI64Type(), entries.size())};
  });
}

} // namespace tower
