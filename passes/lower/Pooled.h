// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The values of a multi-valued feature, as the forward and the backward pass of a pooled lookup walk through them.
#ifndef TOWER_PASSES_LOWER_POOLED_H
#define TOWER_PASSES_LOWER_POOLED_H

#include "passes/lower/Lower.h"

namespace tower::lower {

class PooledValues {
public:
  /// Of a PooledLookupOp or a PooledRowGradientOp. What does not change from row to row is loaded here.
  template <class Op> PooledValues(Lowering &b, Op op) : b(b), pooling(op.getPooling()) {
    offsets = b.memory(op.getOffsets());
    values = b.memory(op.getValues());
    rows = b.memory(op.getRows());
    if (op.getDropout() && !op.getDropout()->isZero())
      prepareDropout(b.memory(op.getStep()), b.memory(op.getSeed()), *op.getStream(),
                     op.getDropout()->convertToFloat());
  }

  bool drops() const { return static_cast<bool>(seed); }

  /// The place of the first value of position i, and how many values there are: of type index.
  std::pair<Value, Value> range(Value i);
  /// Value number j from `first` on: a row of the table.
  Value at(Value first, Value j) { return b.toIndex(b.load(values, b.add(first, j))); }
  /// Whether value number j of position i survives dropout: an i1. Only where drops().
  Value survives(Value i, Value j);
  /// What the sum over `count` (an index) survivors is multiplied with: an f32; null for 1.
  Value coefficient(Value count);

private:
  void prepareDropout(Value step, Value seed, llvm::StringRef stream, float rate);

  Lowering &b;
  Pooling pooling;
  Value offsets, values, rows;
  Value seed, streamKey, stepLow, stepHigh, threshold; // i32; null without dropout
};

} // namespace tower::lower

#endif
