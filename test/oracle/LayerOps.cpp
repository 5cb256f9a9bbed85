// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The layers of an encoder: the ops of dialect/TowerLayerOps.td.

#include "test/oracle/Environment.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

// Y = onto + b + sum_{f not masked} X_f W_f + sum_{f masked} d_f W_f
LogicalResult oracle::evaluateOp(SegmentLinearOp op, Environment &env) {
  const Tensor &weight = env[op.getWeight()];
  Tensor &y = env.create(op.getResult());
  for (int64_t i = 0; i < y.extent(0); ++i)
    for (int64_t n = 0; n < y.extent(1); ++n) {
      double sum =
          (op.getBias() ? env[op.getBias()].reals[n] : 0.0) + (op.getOnto() ? env[op.getOnto()].at(i, n) : 0.0);
      int64_t row = 0; // of the weight
      for (auto [f, value] : llvm::enumerate(op.getSegments())) {
        const Tensor &segment = env[value];
        bool masked = isMasked(env, op.getMask(), f);
        for (int64_t j = 0; j < segment.extent(1); ++j, ++row)
          if (masked && op.getSkipMasked())
            sum += env[op.getDefaults()[f]].reals[j] * weight.at(row, n); // No part of the product, but of its bias.
          else
            sum += env.factor(masked ? env[op.getDefaults()[f]].reals[j] : segment.at(i, j)) *
                   env.factor(weight.at(row, n));
      }
      y.at(i, n) = op.getRelu() ? std::max(sum, 0.0) : sum;
    }
  return success();
}

LogicalResult oracle::evaluateOp(ProjectOp op, Environment &env) {
  const Tensor &table = env[op.getTable()], &weight = env[op.getWeight()];
  Tensor &result = env.create(op.getResult());
  for (int64_t v = 0; v < result.extent(0); ++v)
    for (int64_t n = 0; n < result.extent(1); ++n)
      for (int64_t j = 0; j < table.extent(1); ++j)
        result.at(v, n) += env.factor(table.at(v, j)) * env.factor(weight.at(j, n));
  return success();
}

LogicalResult oracle::evaluateOp(LinearOp op, Environment &env) {
  const Tensor &x = env[op.getInput()], &weight = env[op.getWeight()];
  Tensor &y = env.create(op.getResult());
  for (int64_t i = 0; i < y.extent(0); ++i)
    for (int64_t n = 0; n < y.extent(1); ++n) {
      double sum = op.getBias() ? env[op.getBias()].reals[n] : 0.0;
      for (int64_t j = 0; j < x.extent(1); ++j)
        sum += env.factor(x.at(i, j)) * env.factor(weight.at(j, n));
      y.at(i, n) = op.getRelu() ? std::max(sum, 0.0) : sum;
    }
  return success();
}

LogicalResult oracle::evaluateOp(ActivateOp op, Environment &env) {
  const Tensor &input = env[op.getInput()];
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < input.count(); ++i) {
    double x = input.reals[i];
    switch (op.getActivation()) {
    case Activation::identity:
      result.reals[i] = x;
      break;
    case Activation::relu:
      result.reals[i] = x > 0 ? x : 0;
      break;
    case Activation::tanh:
      result.reals[i] = std::tanh(x);
      break;
    case Activation::gelu:
      result.reals[i] = x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
      break;
    }
  }
  return success();
}

LogicalResult oracle::evaluateOp(NormalizeOp op, Environment &env) {
  const Tensor &z = env[op.getInput()];
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < z.extent(0); ++i) {
    double squares = 0;
    for (int64_t j = 0; j < z.extent(1); ++j)
      squares += z.at(i, j) * z.at(i, j);
    for (int64_t j = 0; j < z.extent(1); ++j)
      result.at(i, j) = z.at(i, j) / std::max(std::sqrt(squares), 1e-12);
  }
  return success();
}

LogicalResult oracle::evaluateOp(StackOp op, Environment &env) {
  Tensor &result = env.create(op.getResult());
  result.reals.clear();
  result.integers.clear();
  for (mlir::Value value : op.getInputs()) {
    const Tensor &input = env[value];
    result.reals.insert(result.reals.end(), input.reals.begin(), input.reals.end());
    result.integers.insert(result.integers.end(), input.integers.begin(), input.integers.end());
  }
  return success();
}

LogicalResult oracle::evaluateOp(UnstackOp op, Environment &env) {
  int64_t from = 0;
  for (mlir::Value value : op.getParts()) {
    Tensor &part = env.create(value);
    for (int64_t i = 0; i < part.extent(0); ++i)
      for (int64_t j = 0; j < part.extent(1); ++j)
        part.at(i, j) = env[op.getInput()].at(from + i, j);
    from += part.extent(0);
  }
  return success();
}

LogicalResult oracle::evaluateOp(ExpandRowsOp op, Environment &env) {
  const Tensor &input = env[op.getInput()], &inverse = env[op.getInverse()];
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < result.extent(0); ++i)
    for (int64_t j = 0; j < result.extent(1); ++j)
      result.at(i, j) = input.at(inverse.integers[i], j);
  return success();
}

LogicalResult oracle::evaluateOp(PositionsOp op, Environment &env) {
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < result.count(); ++i)
    result.integers[i] = i;
  return success();
}
