// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values in C structs: how a memref or a scalar is kept in memory and made again from it.
#ifndef TOWER_PASSES_FRAME_H
#define TOWER_PASSES_FRAME_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tower {

/// A memref of identity layout over `pointer`; `sizes` has an i64 for each dynamic dimension, in order.
mlir::Value memrefFromPointer(mlir::ImplicitLocOpBuilder &b, const mlir::LLVMTypeConverter &converter,
                              mlir::MemRefType type, mlir::Value pointer, mlir::ValueRange sizes);

/// The aligned pointer of a memref of identity layout, as an !llvm.ptr.
mlir::Value pointerFromMemref(mlir::ImplicitLocOpBuilder &b, const mlir::LLVMTypeConverter &converter,
                              mlir::Value memory);

} // namespace tower

#endif
