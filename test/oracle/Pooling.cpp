// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tower.pooled_lookup and its adjoint share: which values of a row survive, and what they are multiplied with.

#include "test/oracle/Environment.h"
#include "test/oracle/Random.h"

#include <cmath>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

template <typename Op>
static FailureOr<std::vector<int64_t>> survivors(Op op, const Environment &env, int64_t position, int64_t tableRows) {
  const Tensor &offsets = env[op.getOffsets()], &values = env[op.getValues()];
  int64_t row = env[op.getRows()].integers[position];
  if (failed(checkIndex(op, "row", row, offsets.extent(0) - 1)))
    return failure();
  int64_t begin = offsets.integers[row], end = offsets.integers[row + 1];
  if (end - begin > int64_t(op.getLongest()))
    return op.emitOpError() << "row " << row << " has " << end - begin << " values, longest is " << op.getLongest();
  std::vector<int64_t> result;
  for (int64_t j = 0; j < end - begin; ++j) {
    int64_t value = values.integers[begin + j];
    if (failed(checkIndex(op, "value", value, tableRows)))
      return failure();
    if (op.getDropout() && isDropped(env[op.getSeed()].integer(), *op.getStream(), env[op.getStep()].integer(),
                                     position, j, op.getDropout()->convertToFloat()))
      continue;
    result.push_back(value);
  }
  return result;
}

FailureOr<std::vector<int64_t>> oracle::survivingValues(PooledLookupOp op, const Environment &env, int64_t position,
                                                        int64_t tableRows) {
  return survivors(op, env, position, tableRows);
}

FailureOr<std::vector<int64_t>> oracle::survivingValues(PooledRowGradientOp op, const Environment &env,
                                                        int64_t position, int64_t tableRows) {
  return survivors(op, env, position, tableRows);
}

double oracle::poolingFactor(Pooling pooling, size_t count) {
  switch (pooling) {
  case Pooling::mean:
    return 1.0 / count;
  case Pooling::sum:
    return 1.0;
  case Pooling::sqrtn:
    return 1.0 / std::sqrt(double(count));
  }
  llvm_unreachable("a pooling without a formula");
}
