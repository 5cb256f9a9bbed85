// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What adjoints are made of: the ops of dialect/TowerGradientOps.td but row gradients.

#include "test/oracle/Softmax.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

LogicalResult oracle::evaluateOp(OneOp op, Environment &env) {
  env.create(op.getResult()).reals[0] = 1;
  return success();
}

LogicalResult oracle::evaluateOp(ScaleOp op, Environment &env) {
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < result.count(); ++i)
    result.reals[i] = double(op.getFactor().convertToFloat()) * env[op.getInput()].reals[i];
  return success();
}

LogicalResult oracle::evaluateOp(AddOp op, Environment &env) {
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < result.count(); ++i)
    result.reals[i] = env[op.getLhs()].reals[i] + env[op.getRhs()].reals[i];
  return success();
}

LogicalResult oracle::evaluateOp(MatmulOp op, Environment &env) {
  const Tensor &a = env[op.getLhs()], &b = env[op.getRhs()];
  Tensor &result = env.create(op.getResult());
  int64_t inner = op.getTransposeLhs() ? a.extent(0) : a.extent(1);
  for (int64_t i = 0; i < result.extent(0); ++i)
    for (int64_t n = 0; n < result.extent(1); ++n) {
      double sum = op.getOnto() ? env[op.getOnto()].at(i, n) : 0;
      for (int64_t j = 0; j < inner; ++j)
        sum += env.factor(op.getTransposeLhs() ? a.at(j, i) : a.at(i, j)) *
               env.factor(op.getTransposeRhs() ? b.at(n, j) : b.at(j, n));
      bool open = !op.getGate() || env[op.getGate()].at(i, n) > 0;
      result.at(i, n) = open ? sum : 0;
    }
  return success();
}

LogicalResult oracle::evaluateOp(ColumnSumOp op, Environment &env) {
  const Tensor &input = env[op.getInput()];
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < input.extent(0); ++i)
    for (int64_t j = 0; j < input.extent(1); ++j)
      result.reals[j] += input.at(i, j);
  return success();
}

LogicalResult oracle::evaluateOp(SumEqualRowsOp op, Environment &env) {
  const Tensor &input = env[op.getInput()], &inverse = env[op.getInverse()];
  Tensor &result = env.create(op.getResult(), env[op.getDistinct()].extent(0));
  for (int64_t i = 0; i < input.extent(0); ++i)
    for (int64_t j = 0; j < input.extent(1); ++j)
      result.at(inverse.integers[i], j) += input.at(i, j);
  return success();
}

LogicalResult oracle::evaluateOp(SliceRowsOp op, Environment &env) {
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < result.extent(0); ++i)
    for (int64_t j = 0; j < result.extent(1); ++j)
      result.at(i, j) = env[op.getInput()].at(op.getFrom() + i, j);
  return success();
}

LogicalResult oracle::evaluateOp(ActivateGradOp op, Environment &env) {
  const Tensor &saved = env[op.getSaved()], &gradient = env[op.getGradient()];
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < saved.count(); ++i) {
    double s = saved.reals[i], dy = gradient.reals[i];
    switch (op.getActivation()) {
    case Activation::identity:
      result.reals[i] = dy;
      break;
    case Activation::relu:
      result.reals[i] = s > 0 ? dy : 0;
      break;
    case Activation::tanh:
      result.reals[i] = dy * (1 - s * s);
      break;
    case Activation::gelu: {
      double distribution = (1 + std::erf(s / std::numbers::sqrt2)) / 2;
      double density = std::exp(-s * s / 2) / std::sqrt(2 * std::numbers::pi);
      result.reals[i] = dy * (distribution + s * density);
      break;
    }
    }
  }
  return success();
}

// dz = (g - u <u, g>) / r
LogicalResult oracle::evaluateOp(NormalizeGradOp op, Environment &env) {
  const Tensor &z = env[op.getInput()], &g = env[op.getGradient()];
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < z.extent(0); ++i) {
    double squares = 0, product = 0;
    for (int64_t j = 0; j < z.extent(1); ++j)
      squares += z.at(i, j) * z.at(i, j);
    double r = std::max(std::sqrt(squares), 1e-12);
    for (int64_t j = 0; j < z.extent(1); ++j)
      product += z.at(i, j) / r * g.at(i, j);
    for (int64_t j = 0; j < z.extent(1); ++j)
      result.at(i, j) = (g.at(i, j) - z.at(i, j) / r * product) / r;
  }
  return success();
}

// dW_f = X_f^T dY where f is visible, d_f (x) colsum(dY) where it is masked
LogicalResult oracle::evaluateOp(SegmentWeightGradOp op, Environment &env) {
  const Tensor &dy = env[op.getGradient()];
  Tensor &result = env.create(op.getResult());
  int64_t row = 0;
  for (auto [f, value] : llvm::enumerate(op.getSegments())) {
    const Tensor &segment = env[value];
    bool masked = isMasked(env, op.getMask(), f);
    for (int64_t j = 0; j < segment.extent(1); ++j, ++row)
      for (int64_t n = 0; n < dy.extent(1); ++n) {
        double sum = op.getOnto() ? env[op.getOnto()].at(row, n) : 0;
        // In bf16, rows of defaults that are multiplied as others are were rounded before they are summed.
        bool bySums = masked && (op.getSkipMasked() || !env.bf16);
        if (bySums)
          sum += env[op.getDefaults()[f]].reals[j] * env[op.getSums()].reals[n];
        for (int64_t i = 0; !bySums && i < dy.extent(0); ++i)
          sum += env.factor(masked ? env[op.getDefaults()[f]].reals[j] : segment.at(i, j)) * env.factor(dy.at(i, n));
        result.at(row, n) = sum;
      }
  }
  return success();
}

// dX_f = dY W_f^T where f is visible, zero where it is masked
LogicalResult oracle::evaluateOp(SegmentInputGradOp op, Environment &env) {
  const Tensor &dy = env[op.getGradient()], &weight = env[op.getWeight()];
  int64_t first = 0; // row of the weight
  for (auto [f, value] : llvm::enumerate(op.getSegments())) {
    Tensor &dx = env.create(value);
    if (!isMasked(env, op.getMask(), f))
      for (int64_t i = 0; i < dx.extent(0); ++i)
        for (int64_t j = 0; j < dx.extent(1); ++j)
          for (int64_t n = 0; n < dy.extent(1); ++n)
            dx.at(i, j) += env.factor(dy.at(i, n)) * env.factor(weight.at(first + j, n));
    first += dx.extent(1);
  }
  return success();
}

// dd_f = W_f colsum(dY) where f is masked, zero where it is visible
LogicalResult oracle::evaluateOp(SegmentDefaultGradOp op, Environment &env) {
  const Tensor &sums = env[op.getSums()], &weight = env[op.getWeight()];
  int64_t first = 0;
  for (auto [f, value] : llvm::enumerate(op.getDefaults())) {
    Tensor &dd = env.create(value);
    if (isMasked(env, op.getMask(), f))
      for (int64_t j = 0; j < dd.extent(0); ++j)
        for (int64_t n = 0; n < sums.extent(0); ++n)
          dd.reals[j] += weight.at(first + j, n) * sums.reals[n];
    first += dd.extent(0);
  }
  return success();
}

// dq_i = g w_i / (W temperature) (sum_u P_iu x_u - x_i)
// dx_u = g / (W temperature) sum_i w_i (P_iu - [u = i]) q_i
template <typename Op> static void softmaxGradients(Op op, ArrayRef<double> lse, Environment &env) {
  Softmax softmax(op, env);
  Tensor &dq = env.create(op.getQueryGradient(), softmax.q.extent(0));
  Tensor &dx = env.create(op.getItemGradient(), softmax.columns);
  double g = env[op.getGradient()].real();
  for (int64_t i = 0; i < softmax.rows; ++i)
    for (int64_t u = 0; u < softmax.columns; ++u) {
      double times = softmax.multiplicity(i, u);
      double p = times > 0 ? times * std::exp(softmax.score(i, u) - lse[i]) : 0;
      double target = u == softmax.positive(i) ? 1 : 0;
      double factor = g * softmax.weight(i) / (softmax.totalWeight() * softmax.temperature) * (p - target);
      for (int64_t j = 0; j < dq.extent(1); ++j) {
        dq.at(softmax.queryRow(i), j) += factor * softmax.x.at(u, j);
        dx.at(u, j) += factor * softmax.q.at(softmax.queryRow(i), j);
      }
    }
}

LogicalResult oracle::evaluateOp(InBatchSoftmaxGradOp op, Environment &env) {
  softmaxGradients(op, env[op.getLse()].reals, env);
  return success();
}

LogicalResult oracle::evaluateOp(InBatchSoftmaxWithGradOp op, Environment &env) {
  Softmax softmax(op, env);
  auto [loss, lse] = softmax.evaluate();
  env.create(op.getLoss()).reals = {loss};
  softmaxGradients(op, lse, env);
  return success();
}

// dz_i = 4 g / N sum_{j != i} <z_i, z_j> z_j
LogicalResult oracle::evaluateOp(SpreadOutGradOp op, Environment &env) {
  const Tensor &z = env[op.getInput()];
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < z.extent(0); ++i)
    for (int64_t j = 0; j < z.extent(0); ++j) {
      if (j == i)
        continue;
      double product = 0;
      for (int64_t c = 0; c < z.extent(1); ++c)
        product += z.at(i, c) * z.at(j, c);
      for (int64_t c = 0; c < z.extent(1); ++c)
        result.at(i, c) += 4 * env[op.getGradient()].real() / z.extent(0) * product * z.at(j, c);
    }
  return success();
}
