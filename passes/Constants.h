// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants of a C program in the LLVM dialect: texts, arrays and structs.
#ifndef TOWER_PASSES_CONSTANTS_H
#define TOWER_PASSES_CONSTANTS_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tower {

/// Internal bytes that end with a zero.
mlir::LLVM::GlobalOp textConstant(mlir::ImplicitLocOpBuilder &b, llvm::StringRef name, llvm::StringRef text);

/// An array, or a struct, of these elements.
mlir::Value aggregateOf(mlir::ImplicitLocOpBuilder &b, mlir::Type type, mlir::ValueRange elements);

/// A constant array, or struct, whose elements `elements` makes.
mlir::LLVM::GlobalOp aggregateConstant(mlir::ImplicitLocOpBuilder &b, mlir::Type type, llvm::StringRef name,
                                       mlir::LLVM::Linkage linkage,
                                       llvm::function_ref<llvm::SmallVector<mlir::Value>()> elements);

} // namespace tower

#endif
