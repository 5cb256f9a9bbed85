// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a dataset and a model to what the oracle's functions take.
#ifndef TEST_ORACLE_DATAINPUTS_H
#define TEST_ORACLE_DATAINPUTS_H

#include "mlir/IR/BuiltinOps.h"
#include "runtime/Dataset.h"
#include "test/oracle/Generator.h"
#include "test/oracle/Oracle.h"

namespace tower::oracle {

/// All columns, training pairs, numbers of items, log probabilities and the orders of correlated masks, by
/// argumentKey. `module` holds the declared model. Throws rt::Error where the data lacks something.
Inputs dataInputs(mlir::ModuleOp module, const rt::Dataset &data);

/// Random values for all tensors that the module declares, float32 numbers: parameters away from 0 (biases and default
/// rows too), slots as after some steps; constants as the data has them.
Inputs randomTensors(mlir::ModuleOp module, const rt::Dataset &data, Dice &dice);

} // namespace tower::oracle

#endif
