// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row gradients, as lists of contributions: the last ops of dialect/TowerGradientOps.td.

#include "test/oracle/Environment.h"

#include <limits>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

static std::vector<double> scaledRow(double factor, const Tensor &matrix, int64_t row) {
  std::vector<double> result;
  for (int64_t j = 0; j < matrix.extent(1); ++j)
    result.push_back(factor * matrix.at(row, j));
  return result;
}

LogicalResult oracle::evaluateOp(RowGradientOp op, Environment &env) {
  const Tensor &gradient = env[op.getGradient()];
  Tensor &result = env.create(op.getResult());
  if (isMasked(env, op.getMask(), op.getFeature()))
    return success();
  for (int64_t i = 0; i < gradient.extent(0); ++i) {
    FailureOr<int64_t> id = idOf(op, env, i, op.getType().getRows());
    if (failed(id))
      return failure();
    result.contributions.push_back({*id, scaledRow(1, gradient, i)});
  }
  return success();
}

LogicalResult oracle::evaluateOp(PooledRowGradientOp op, Environment &env) {
  const Tensor &gradient = env[op.getGradient()];
  Tensor &result = env.create(op.getResult());
  if (isMasked(env, op.getMask(), op.getFeature()))
    return success();
  for (int64_t i = 0; i < gradient.extent(0); ++i) {
    FailureOr<std::vector<int64_t>> survivors = survivingValues(op, env, i, op.getType().getRows());
    if (failed(survivors))
      return failure();
    for (int64_t value : *survivors)
      result.contributions.push_back(
          {value, scaledRow(poolingFactor(op.getPooling(), survivors->size()), gradient, i)});
  }
  return success();
}

LogicalResult oracle::evaluateOp(MergeRowsOp op, Environment &env) {
  Tensor &result = env.create(op.getResult());
  result.contributions = env[op.getLhs()].contributions;
  for (const Contribution &contribution : env[op.getRhs()].contributions)
    result.contributions.push_back(contribution);
  return success();
}

std::map<int64_t, std::vector<double>> oracle::sumsByRow(const Tensor &gradient) {
  std::map<int64_t, std::vector<double>> sums;
  for (const Contribution &contribution : gradient.contributions) {
    std::vector<double> &sum = sums[contribution.row];
    sum.resize(contribution.values.size());
    for (size_t j = 0; j < sum.size(); ++j)
      sum[j] += contribution.values[j];
  }
  return sums;
}

LogicalResult oracle::evaluateOp(SumRowsOp op, Environment &env) {
  std::map<int64_t, std::vector<double>> sums = sumsByRow(env[op.getGradient()]);
  auto distinct = static_cast<int64_t>(sums.size()); // rows with a #tower.bound are as many
  Tensor &rows = env.create(op.getRows(), distinct), &values = env.create(op.getValues(), distinct);
  if (int64_t(sums.size()) > rows.extent(0))
    return op.emitOpError() << sums.size() << " distinct rows do not fit its bound of " << rows.extent(0);
  // Nothing may read beyond the count: a row that is none, and numbers that spoil what they touch.
  std::fill(rows.integers.begin(), rows.integers.end(), -1);
  std::fill(values.reals.begin(), values.reals.end(), std::numeric_limits<double>::quiet_NaN());
  int64_t count = 0;
  for (auto &[row, sum] : sums) {
    rows.integers[count] = row;
    for (int64_t j = 0; j < values.extent(1); ++j)
      values.at(count, j) = sum[j];
    ++count;
  }
  env.set(op.getCount(), Tensor::scalar(count));
  return success();
}
