// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which values are computed where another op wants them, so that nothing is copied: lookups in the columns of a first
// layer's input, matrices in the rows of a stack.
#ifndef TOWER_PASSES_LOWER_INPLACE_H
#define TOWER_PASSES_LOWER_INPLACE_H

#include "dialect/Tower.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <vector>

namespace tower::lower {

/// What a first layer and the gradient of its weight multiply: segments side by side.
struct LayerInput {
  template <class Op>
  explicit LayerInput(Op op)
      : segments(op.getSegments()), mask(op.getMask()), defaults(op.getDefaults()), skipMasked(op.getSkipMasked()) {}

  /// Inputs of one key are one matrix in memory.
  std::vector<const void *> key() const;
  /// Whether it is a matrix of its own: one segment is read where it is.
  bool isMatrix() const { return mask || segments.size() > 1; }

  mlir::OperandRange segments;
  mlir::Value mask;
  mlir::OperandRange defaults;
  bool skipMasked;
};

class InPlace {
public:
  /// A value for which the function's caller gives memory is computed there.
  InPlace(mlir::func::FuncOp function, llvm::function_ref<bool(mlir::Value)> isResult);

  struct Segment {
    LayerInput input;
    unsigned number;
  };
  struct Part {
    StackOp stack;
    int64_t firstRow;
  };
  /// The input that a value is a segment of, or the stack that it is a part of; null for others.
  const Segment *segment(mlir::Value value) const;
  const Part *part(mlir::Value value) const;

private:
  template <class Op> void addSegments(Op reader);

  llvm::DenseMap<mlir::Value, Segment> segments;
  llvm::DenseMap<mlir::Value, Part> parts;
};

} // namespace tower::lower

#endif
