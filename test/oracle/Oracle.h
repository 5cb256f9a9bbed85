// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle: evaluates functions of tower dataflow op by op, in double, as their descriptions say and as slowly as
// that takes. What lies beyond the count of tower.sum_rows is NaN. It shares no code with the passes, the lowering or
// the runtime, not even random numbers.
#ifndef TEST_ORACLE_ORACLE_H
#define TEST_ORACLE_ORACLE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "test/oracle/Environment.h"

#include <map>
#include <string>
#include <vector>

namespace tower::oracle {

/// Arguments by key (argumentKey), and "k", an integer, for functions with tower.top_k. Tensors that a function does
/// not take do no harm.
using Inputs = std::map<std::string, Tensor>;

struct Results {
  std::vector<Tensor> values;              ///< In the function's order.
  std::map<std::string, Tensor> named;     ///< By `tower.result`; updated tensors by their name.
  std::map<std::string, Tensor> gradients; ///< Of parameters that are updated, by name, before clipping; tables dense.
};

struct Options {
  /// Half the step of central differences that stand in for `tower.gradient`, which costs two evaluations of the loss
  /// for each element; 0: such an op is refused.
  double differences = 0;
  /// Factors of layers' products are rounded to bf16, as in compiled code of a spec that asks for it. Sums are not, and
  /// derivatives by differences must do without: the loss has steps.
  bool bf16 = false;
};

/// How an argument is called, from its `tower.argument` (docs/Manifest.md): tensor/NAME, column/ENTITY/COLUMN/PART,
/// pairs/PART, mi_order/LOSS, items/ENTITY, else its kind: step, seed, rate, rows, log_probability, queries, ... An
/// argument without the attribute is called by its number: 0, 1, ...
std::string argumentKey(mlir::func::FuncOp function, unsigned argument);

/// Evaluates a function of one block. Fails with a diagnostic on an op at fault: an input that is missing or of the
/// wrong shape, an id out of its table, an op that the oracle does not know.
mlir::FailureOr<Results> evaluate(mlir::func::FuncOp function, const Inputs &inputs, const Options &options = {});

/// The same for one value inside the function, with no more of the function than it needs. `replaced` overrides values
/// inside the function (or its arguments) instead of computing them.
mlir::FailureOr<Tensor> evaluateValue(mlir::func::FuncOp function, mlir::Value value, const Inputs &inputs,
                                      const std::map<const void *, Tensor> &replaced = {}, const Options &options = {});

/// The same for all values that the function's results depend on.
mlir::FailureOr<Environment> evaluateAll(mlir::func::FuncOp function, const Inputs &inputs,
                                         const Options &options = {});

/// What evaluate() picks of them.
Results resultsOf(mlir::func::FuncOp function, const Environment &values);

/// A row gradient as the dense table that it stands for.
Tensor dense(const Tensor &gradient);

} // namespace tower::oracle

#endif
