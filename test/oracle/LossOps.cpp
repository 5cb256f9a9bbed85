// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Losses and scoring: the ops of dialect/TowerLossOps.td but tower.gradient.

#include "test/oracle/Softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

static double dot(const Tensor &a, int64_t i, const Tensor &b, int64_t j) {
  double sum = 0;
  for (int64_t c = 0; c < a.extent(1); ++c)
    sum += a.at(i, c) * b.at(j, c);
  return sum;
}

std::pair<double, std::vector<double>> Softmax::evaluate() const {
  std::vector<double> lse;
  double loss = 0;
  for (int64_t i = 0; i < rows; ++i) {
    double largest = -std::numeric_limits<double>::infinity();
    for (int64_t u = 0; u < columns; ++u)
      if (multiplicity(i, u) > 0)
        largest = std::max(largest, score(i, u));
    double sum = 0;
    for (int64_t u = 0; u < columns; ++u)
      if (multiplicity(i, u) > 0)
        sum += multiplicity(i, u) * std::exp(score(i, u) - largest);
    lse.push_back(largest + std::log(sum));
    loss += weight(i) / totalWeight() * (lse.back() - score(i, positive(i)));
  }
  return {loss, lse};
}

LogicalResult oracle::evaluateOp(InBatchSoftmaxOp op, Environment &env) {
  auto [loss, lse] = Softmax(op, env).evaluate();
  env.create(op.getLoss()).reals = {loss};
  env.create(op.getLse()).reals = lse;
  return success();
}

// 1/N sum_i sum_{j != i} <z_i, z_j>^2
LogicalResult oracle::evaluateOp(SpreadOutOp op, Environment &env) {
  const Tensor &z = env[op.getInput()];
  Tensor &loss = env.create(op.getLoss());
  for (int64_t i = 0; i < z.extent(0); ++i)
    for (int64_t j = 0; j < z.extent(0); ++j)
      if (j != i)
        loss.reals[0] += dot(z, i, z, j) * dot(z, i, z, j) / z.extent(0);
  return success();
}

LogicalResult oracle::evaluateOp(WeightedSumOp op, Environment &env) {
  Tensor &result = env.create(op.getResult());
  for (auto [input, weight] : llvm::zip(op.getInputs(), op.getWeights()))
    result.reals[0] += double(weight) * env[input].real();
  return success();
}

LogicalResult oracle::evaluateOp(TopKOp op, Environment &env) {
  const Tensor &queries = env[op.getQueries()], &catalogue = env[op.getCatalogue()];
  const Tensor &offsets = env[op.getExcludeOffsets()], &excluded = env[op.getExcludeRows()];
  if (env.k < 0)
    return op.emitOpError("needs k among the inputs");
  if (offsets.extent(0) != queries.extent(0) + 1)
    return op.emitOpError() << "needs " << queries.extent(0) + 1 << " offsets of rows to leave out";
  Tensor scores, rows;
  scores.shape = rows.shape = {queries.extent(0), env.k};
  for (int64_t i = 0; i < queries.extent(0); ++i) {
    std::vector<std::pair<double, int64_t>> candidates; // falling score, then rising row
    for (int64_t u = 0; u < catalogue.extent(0); ++u) {
      auto begin = excluded.integers.begin() + offsets.integers[i];
      auto end = excluded.integers.begin() + offsets.integers[i + 1];
      if (std::find(begin, end, u) == end)
        candidates.push_back({-dot(queries, i, catalogue, u), u});
    }
    std::sort(candidates.begin(), candidates.end());
    for (int64_t j = 0; j < env.k; ++j) {
      bool found = j < int64_t(candidates.size());
      scores.reals.push_back(found ? -candidates[j].first : -std::numeric_limits<double>::infinity());
      rows.integers.push_back(found ? candidates[j].second : -1);
    }
  }
  env.set(op.getScores(), scores);
  env.set(op.getRows(), rows);
  return success();
}
