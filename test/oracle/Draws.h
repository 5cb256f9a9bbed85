// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a training step drew, under the names that test/reference gives it.
#ifndef TEST_ORACLE_DRAWS_H
#define TEST_ORACLE_DRAWS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "test/oracle/Environment.h"

#include <string>

namespace tower::oracle {

/// rows/pairs, rows/query, rows/item, rows/LOSS and mask/LOSS/VIEW from an evaluated function; `module` declares the
/// losses.
std::map<std::string, Tensor> drawsOf(mlir::ModuleOp module, mlir::func::FuncOp function, const Environment &values);

} // namespace tower::oracle

#endif
