// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/RowGradients.h"
#include "dialect/Tower.h"

using namespace mlir;

int64_t tower::mostContributions(Value gradient) {
  Operation *op = gradient.getDefiningOp();
  if (auto merge = dyn_cast_or_null<MergeRowsOp>(op))
    return mostContributions(merge.getLhs()) + mostContributions(merge.getRhs());
  if (auto single = dyn_cast_or_null<RowGradientOp>(op))
    return mostRows(single.getGradient().getType());
  if (auto pooled = dyn_cast_or_null<PooledRowGradientOp>(op))
    return mostRows(pooled.getGradient().getType()) * static_cast<int64_t>(pooled.getLongest());
  return cast<RowGradientType>(gradient.getType()).getRows();
}
