// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Entry points with the C signature of runtime/tower_abi.h, and the program's one exported symbol.
#include "passes/EntryPoints.h"
#include "dialect/Tower.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Constants.h"
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
static_assert(sizeof(tower_program_v1) == 56 && offsetof(tower_program_v1, magic) == 0 &&
              offsetof(tower_program_v1, version) == 4 && offsetof(tower_program_v1, manifest) == 8 &&
              offsetof(tower_program_v1, manifest_bytes) == 16 && offsetof(tower_program_v1, entries) == 24 &&
              offsetof(tower_program_v1, num_entries) == 32 && offsetof(tower_program_v1, images) == 40 &&
              offsetof(tower_program_v1, num_images) == 48);
static_assert(sizeof(tower_image) == 24 && offsetof(tower_image, sm) == 0 && offsetof(tower_image, data) == 8 &&
              offsetof(tower_image, bytes) == 16);

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

} // namespace

SmallVector<StringRef> entryNames(ModuleOp module) {
  SmallVector<StringRef> names;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(kArenaBytes))
      names.push_back(function.getName());
  return names;
}

static Type structOf(OpBuilder &b, ArrayRef<Type> types) {
  return LLVM::LLVMStructType::getLiteral(b.getContext(), types);
}

static Value integer(ImplicitLocOpBuilder &b, Type type, int64_t value) {
  return LLVM::ConstantOp::create(b, type, b.getIntegerAttr(type, value));
}

template <class Symbol> static Value address(ImplicitLocOpBuilder &b, Symbol symbol) {
  return LLVM::AddressOfOp::create(b, symbol);
}

/// An array of tower_image.
static LLVM::GlobalOp imageConstants(ImplicitLocOpBuilder &b, ArrayRef<Image> images) {
  SmallVector<LLVM::GlobalOp> data;
  for (const Image &image : images)
    data.push_back(textConstant(b, "tower_image_" + std::to_string(image.sm), image.data));
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  Type one = structOf(b, {i32, i32, LLVM::LLVMPointerType::get(b.getContext()), i64});
  auto all = LLVM::LLVMArrayType::get(one, images.size());
  return aggregateConstant(b, all, "tower_images", LLVM::Linkage::Internal, [&] {
    SmallVector<Value> described;
    for (auto [image, global] : llvm::zip(images, data))
      described.push_back(aggregateOf(
          b, one,
          {integer(b, i32, image.sm), integer(b, i32, 0), address(b, global), integer(b, i64, image.data.size())}));
    return described;
  });
}

void attachProgram(ModuleOp module, StringRef manifest, ArrayRef<Image> images) {
  SmallVector<LLVM::LLVMFuncOp> entries;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    if (function->removeAttr(kEntry)) {
      entries.push_back(function);
      function.setLinkage(LLVM::Linkage::Internal);
    }
  }
  auto b = ImplicitLocOpBuilder::atBlockEnd(module.getLoc(), module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext()), i32 = b.getI32Type(), i64 = b.getI64Type();
  LLVM::GlobalOp text = textConstant(b, "tower_manifest", manifest), pictures = imageConstants(b, images);
  auto listType = LLVM::LLVMArrayType::get(pointer, entries.size());
  LLVM::GlobalOp list = aggregateConstant(b, listType, "tower_entries", LLVM::Linkage::Internal, [&] {
    return llvm::map_to_vector(entries, [&](LLVM::LLVMFuncOp entry) { return address(b, entry); });
  });
  Type type = structOf(b, {i32, i32, pointer, i64, pointer, i64, pointer, i64});
  aggregateConstant(b, type, "tower_program", LLVM::Linkage::External, [&] {
    return SmallVector<Value>{integer(b, i32, TOWER_ABI_MAGIC),
                              integer(b, i32, TOWER_ABI_VERSION),
                              address(b, text),
                              integer(b, i64, manifest.size()),
                              address(b, list),
                              integer(b, i64, entries.size()),
                              address(b, pictures),
                              integer(b, i64, images.size())};
  });
}

} // namespace tower
