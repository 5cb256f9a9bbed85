// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the reverse pass asks of an op.

#ifndef DIALECT_TOWERINTERFACES_TD
#define DIALECT_TOWERINTERFACES_TD

include "mlir/IR/OpBase.td"

def Tower_Differentiable : OpInterface<"Differentiable"> {
  let cppNamespace = "::tower";
  let description = [{
    An op that states its adjoint: given the gradients of its results, the gradients of its operands, in tower ops.
  }];
  let methods = [InterfaceMethod<[{
      Returns a value for each operand: its gradient, or null where it has none (ids, masks) or `needed` says that nobody
      asks. `gradients` has an entry for each result, null where the result does not reach the loss. The gradient of a
      table is a `!tower.row_gradient`; any other gradient has its operand's type.
    }],
    "::llvm::SmallVector<::mlir::Value>", "adjoint",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$gradients,
         "::llvm::function_ref<bool(::mlir::Value)>":$needed)>];
}

#endif
