// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `tower` dialect: the one header that users of it include.

#ifndef DIALECT_TOWER_H
#define DIALECT_TOWER_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/TowerDialect.h.inc"
#include "dialect/TowerEnums.h.inc"
#include "dialect/TowerInterfaces.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/TowerAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/TowerTypes.h.inc"
#define GET_OP_CLASSES
#include "dialect/TowerOps.h.inc"

namespace tower {

/// The bound of a tensor whose rows are counted at run time; null for any other type.
inline BoundAttr boundOf(mlir::Type type) {
  auto tensor = mlir::dyn_cast<mlir::RankedTensorType>(type);
  return tensor ? mlir::dyn_cast_or_null<BoundAttr>(tensor.getEncoding()) : BoundAttr();
}

/// A tensor's rows; with a #tower.bound the most that it can have.
inline int64_t mostRows(mlir::Type type) {
  BoundAttr bound = boundOf(type);
  return bound ? bound.getRows() : mlir::cast<mlir::RankedTensorType>(type).getDimSize(0);
}

} // namespace tower

#endif
