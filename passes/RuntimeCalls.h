// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Declarations of the runtime's C functions in the IR, with signatures derived from runtime/tower_abi.h itself, so that
// no second list of them exists.
#ifndef TOWER_PASSES_RUNTIMECALLS_H
#define TOWER_PASSES_RUNTIMECALLS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "runtime/tower_abi.h"

namespace tower {

template <class T> mlir::Type runtimeType(mlir::MLIRContext *context) {
  if constexpr (std::is_pointer_v<T>)
    return mlir::LLVM::LLVMPointerType::get(context);
  else
    return mlir::IntegerType::get(context, 8 * sizeof(T));
}

template <class Result, class... Arguments>
mlir::FunctionType runtimeSignature(mlir::MLIRContext *context, Result (*)(Arguments...)) {
  llvm::SmallVector<mlir::Type> results;
  if constexpr (!std::is_void_v<Result>)
    results.push_back(runtimeType<Result>(context));
  return mlir::FunctionType::get(context, {runtimeType<Arguments>(context)...}, results);
}

/// The declaration of `name` in `module`, made at its end if there is none. `function` only gives the type: null.
template <class Function>
mlir::func::FuncOp declareRuntime(mlir::ModuleOp module, llvm::StringRef name, Function *function) {
  if (auto declared = module.lookupSymbol<mlir::func::FuncOp>(name))
    return declared;
  auto builder = mlir::OpBuilder::atBlockEnd(module.getBody());
  auto declared =
      mlir::func::FuncOp::create(builder, module.getLoc(), name, runtimeSignature(module.getContext(), function));
  declared.setPrivate();
  return declared;
}

#define TOWER_RUNTIME_FUNCTION(module, name)                                                                           \
  ::tower::declareRuntime(module, #name, static_cast<decltype(name) *>(nullptr))

} // namespace tower

#endif
