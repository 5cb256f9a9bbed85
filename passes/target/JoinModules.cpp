// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/target/JoinModules.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

void tower::joinModules(ModuleOp into, ModuleOp from, llvm::StringRef suffix) {
  llvm::StringMap<StringAttr> names;
  for (Operation &op : llvm::make_early_inc_range(from.getOps())) {
    StringRef name = cast<SymbolOpInterface>(op).getName();
    auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
    if (!function || !function.isExternal())
      names[name] = StringAttr::get(from.getContext(), name + "_" + suffix);
    else if (into.lookupSymbol(name))
      op.erase();
  }
  AttrTypeReplacer renaming;
  renaming.addReplacement([&](FlatSymbolRefAttr reference) -> std::optional<Attribute> {
    auto renamed = names.find(reference.getValue());
    if (renamed == names.end())
      return std::nullopt;
    return FlatSymbolRefAttr::get(renamed->second);
  });
  for (Operation &op : llvm::make_early_inc_range(from.getOps())) {
    renaming.recursivelyReplaceElementsIn(&op);
    auto symbol = cast<SymbolOpInterface>(op);
    if (auto renamed = names.find(symbol.getName()); renamed != names.end())
      symbol.setName(renamed->second);
    op.moveBefore(into.getBody(), into.getBody()->end());
  }
}
