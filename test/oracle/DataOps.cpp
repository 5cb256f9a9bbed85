// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sampling and features: the ops of dialect/TowerDataOps.td.

#include "test/oracle/Environment.h"
#include "test/oracle/Random.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

LogicalResult oracle::evaluateOp(SamplePairsOp op, Environment &env) {
  Tensor &positions = env.create(op.getPositions());
  int64_t total = env[op.getPairs()].extent(0), batch = positions.extent(0);
  if (total < batch)
    return op.emitOpError() << total << " pairs are fewer than a batch of " << batch;
  positions.integers =
      samplePairs(env[op.getSeed()].integer(), op.getStream(), env[op.getStep()].integer(), batch, total);
  return success();
}

LogicalResult oracle::evaluateOp(SampleUniformOp op, Environment &env) {
  Tensor &rows = env.create(op.getRows());
  rows.integers = sampleUniform(env[op.getSeed()].integer(), op.getStream(), env[op.getStep()].integer(),
                                rows.extent(0), env[op.getItems()].integer());
  return success();
}

LogicalResult oracle::evaluateOp(FeatureMaskOp op, Environment &env) {
  Tensor &mask = env.create(op.getMask());
  int64_t features = mask.extent(0), count = op.getCount();
  uint64_t seed = env[op.getSeed()].integer(), step = env[op.getStep()].integer();
  if (op.getOrder()) {
    const Tensor &order = env[op.getOrder()];
    uint64_t word = drawAtStep(seed, op.getStream(), step, 0, 0)[0];
    int64_t first = (word * features) >> 32;
    mask.integers[first] = 1;
    for (int64_t j = 0; j < count - 1; ++j) {
      int64_t other = order.integers[first * order.extent(1) + j];
      if (failed(checkIndex(op, "feature", other, features)))
        return failure();
      mask.integers[other] = 1;
    }
    return success();
  }
  std::vector<int64_t> shuffled(features);
  std::iota(shuffled.begin(), shuffled.end(), 0);
  for (int64_t j = 0; j < count; ++j) {
    uint64_t word = drawAtStep(seed, op.getStream(), step, uint32_t(j), 0)[0];
    std::swap(shuffled[j], shuffled[j + ((word * (features - j)) >> 32)]);
    mask.integers[shuffled[j]] = 1;
  }
  return success();
}

LogicalResult oracle::evaluateOp(ComplementOp op, Environment &env) {
  Tensor &result = env.create(op.getResult());
  for (size_t f = 0; f < result.integers.size(); ++f)
    result.integers[f] = 1 - env[op.getMask()].integers[f];
  return success();
}

LogicalResult oracle::evaluateOp(TakeOp op, Environment &env) {
  const Tensor &column = env[op.getColumn()], &rows = env[op.getRows()];
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < rows.count(); ++i) {
    int64_t row = rows.integers[i];
    if (failed(checkIndex(op, "row", row, column.extent(0))))
      return failure();
    if (column.reals.empty())
      result.integers[i] = column.integers[row];
    else
      result.reals[i] = column.reals[row];
  }
  return success();
}

LogicalResult oracle::evaluateOp(DistinctOp op, Environment &env) {
  const Tensor &rows = env[op.getRows()];
  std::vector<int64_t> distinct, counts, inverse;
  for (int64_t row : rows.integers) {
    size_t place = std::find(distinct.begin(), distinct.end(), row) - distinct.begin();
    if (place == distinct.size()) {
      distinct.push_back(row);
      counts.push_back(0);
    }
    ++counts[place];
    inverse.push_back(int64_t(place));
  }
  int64_t found = int64_t(distinct.size());
  env.set(op.getInverse(), Tensor::ofIntegers(rows.shape, inverse));
  env.set(op.getDistinct(), Tensor::ofIntegers({found}, distinct));
  env.set(op.getCounts(), Tensor::ofIntegers({found}, counts));
  return success();
}

LogicalResult oracle::evaluateOp(LookupOp op, Environment &env) {
  const Tensor &table = env[op.getTable()];
  Tensor &result = env.create(op.getResult());
  if (op.getOnto())
    result.reals = env[op.getOnto()].reals;
  if (isMasked(env, op.getMask(), op.getFeature()))
    return success();
  for (int64_t i = 0; i < result.extent(0); ++i) {
    FailureOr<int64_t> id = idOf(op, env, i, table.extent(0));
    if (failed(id))
      return failure();
    for (int64_t j = 0; j < table.extent(1); ++j)
      result.at(i, j) += table.at(*id, j);
  }
  return success();
}

LogicalResult oracle::evaluateOp(PooledLookupOp op, Environment &env) {
  const Tensor &table = env[op.getTable()], &rows = env[op.getRows()];
  Tensor &result = env.create(op.getResult());
  if (op.getOnto())
    result.reals = env[op.getOnto()].reals;
  if (isMasked(env, op.getMask(), op.getFeature()))
    return success();
  for (int64_t i = 0; i < rows.count(); ++i) {
    FailureOr<std::vector<int64_t>> survivors = survivingValues(op, env, i, table.extent(0));
    if (failed(survivors))
      return failure();
    double factor = poolingFactor(op.getPooling(), survivors->size());
    for (int64_t value : *survivors)
      for (int64_t j = 0; j < table.extent(1); ++j)
        result.at(i, j) += factor * table.at(value, j);
  }
  return success();
}

LogicalResult oracle::evaluateOp(DenseOp op, Environment &env) {
  const Tensor &numbers = env[op.getNumbers()], &rows = env[op.getRows()];
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < rows.count(); ++i) {
    if (failed(checkIndex(op, "row", rows.integers[i], numbers.extent(0))))
      return failure();
    for (int64_t j = 0; j < numbers.extent(1); ++j) {
      double x = numbers.at(rows.integers[i], j);
      if (op.getScaling() == Scaling::log_standardized)
        x = std::log(1 + x);
      if (op.getScaling() != Scaling::none)
        x = (x - env[op.getMean()].reals[j]) / env[op.getDeviation()].reals[j];
      result.at(i, j) = x;
    }
  }
  return success();
}
