// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Optimizers and clipping: the ops of dialect/TowerOptimizerOps.td.

#include "test/oracle/Environment.h"

#include <cmath>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

namespace {

// What all updates share. r = rate x factor; g is multiplied with `scale`.
struct Rates {
  double r, scale;
  template <typename Op>
  Rates(Op op, const Environment &env)
      : r(double(op.getRate().convertToFloat()) * env[op.getFactor()].real()),
        scale(op.getScale() ? env[op.getScale()].real() : 1.0) {}
};

double number(llvm::APFloat value) { return value.convertToFloat(); }

// m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2; returns what is subtracted for a rate of 1.
template <typename Op> double adamStep(Op op, const Environment &env, double g, double &m, double &v) {
  double beta1 = number(op.getBeta1()), beta2 = number(op.getBeta2());
  double t = double(env[op.getStep()].integer() + 1);
  m = beta1 * m + (1 - beta1) * g;
  v = beta2 * v + (1 - beta2) * g * g;
  return (m / (1 - std::pow(beta1, t))) / (std::sqrt(v / (1 - std::pow(beta2, t))) + number(op.getEpsilon()));
}

double adagradStep(double epsilon, double g, double &a) {
  a += g * g;
  return g / (std::sqrt(a) + epsilon);
}

// Calls update(row of the table, its sum of gradients) for the rows of a gradient, summed before or now.
template <typename Op, typename Update>
LogicalResult forRows(Op op, const Environment &env, const Tensor &table, Update update) {
  if (op.getGradient()) {
    for (const auto &[row, sum] : sumsByRow(env[op.getGradient()]))
      update(row, sum);
    return success();
  }
  const Tensor &rows = env[op.getRows()], &values = env[op.getValues()];
  for (int64_t i = 0; i < env[op.getCount()].integer(); ++i) {
    if (failed(checkIndex(op, "row", rows.integers[i], table.extent(0))))
      return failure();
    update(rows.integers[i], std::vector<double>(values.reals.begin() + i * values.extent(1),
                                                 values.reals.begin() + (i + 1) * values.extent(1)));
  }
  return success();
}

} // namespace

LogicalResult oracle::evaluateOp(SgdOp op, Environment &env) {
  Rates rates(op, env);
  Tensor p = env[op.getParameter()];
  for (int64_t i = 0; i < p.count(); ++i)
    p.reals[i] -= rates.r * (rates.scale * env[op.getGradient()].reals[i] + number(op.getDecay()) * p.reals[i]);
  env.set(op.getNewParameter(), p);
  return success();
}

LogicalResult oracle::evaluateOp(SgdRowsOp op, Environment &env) {
  Rates rates(op, env);
  Tensor p = env[op.getParameter()];
  LogicalResult done = forRows(op, env, p, [&](int64_t row, const std::vector<double> &sum) {
    for (int64_t j = 0; j < p.extent(1); ++j)
      p.at(row, j) -= rates.r * rates.scale * sum[j];
  });
  env.set(op.getNewParameter(), p);
  return done;
}

LogicalResult oracle::evaluateOp(AdagradOp op, Environment &env) {
  Rates rates(op, env);
  Tensor p = env[op.getParameter()], a = env[op.getAccumulator()];
  for (int64_t i = 0; i < p.count(); ++i) {
    double step = adagradStep(number(op.getEpsilon()), rates.scale * env[op.getGradient()].reals[i], a.reals[i]);
    p.reals[i] -= rates.r * (step + number(op.getDecay()) * p.reals[i]);
  }
  env.set(op.getNewParameter(), p);
  env.set(op.getNewAccumulator(), a);
  return success();
}

LogicalResult oracle::evaluateOp(AdagradRowsOp op, Environment &env) {
  Rates rates(op, env);
  Tensor p = env[op.getParameter()], a = env[op.getAccumulator()];
  LogicalResult done = forRows(op, env, p, [&](int64_t row, const std::vector<double> &sum) {
    for (int64_t j = 0; j < p.extent(1); ++j)
      p.at(row, j) -= rates.r * adagradStep(number(op.getEpsilon()), rates.scale * sum[j], a.at(row, j));
  });
  env.set(op.getNewParameter(), p);
  env.set(op.getNewAccumulator(), a);
  return done;
}

// a <- a + mean(g^2)
LogicalResult oracle::evaluateOp(RowwiseAdagradRowsOp op, Environment &env) {
  Rates rates(op, env);
  Tensor p = env[op.getParameter()], a = env[op.getAccumulator()];
  LogicalResult done = forRows(op, env, p, [&](int64_t row, const std::vector<double> &sum) {
    auto g = [&](int64_t j) { return rates.scale * sum[j]; };
    for (int64_t j = 0; j < p.extent(1); ++j)
      a.reals[row] += g(j) * g(j) / p.extent(1);
    for (int64_t j = 0; j < p.extent(1); ++j)
      p.at(row, j) -= rates.r * g(j) / (std::sqrt(a.reals[row]) + number(op.getEpsilon()));
  });
  env.set(op.getNewParameter(), p);
  env.set(op.getNewAccumulator(), a);
  return done;
}

LogicalResult oracle::evaluateOp(AdamOp op, Environment &env) {
  Rates rates(op, env);
  Tensor p = env[op.getParameter()], m = env[op.getFirst()], v = env[op.getSecond()];
  for (int64_t i = 0; i < p.count(); ++i) {
    double step = adamStep(op, env, rates.scale * env[op.getGradient()].reals[i], m.reals[i], v.reals[i]);
    p.reals[i] -= rates.r * (step + number(op.getDecay()) * p.reals[i]);
  }
  env.set(op.getNewParameter(), p);
  env.set(op.getNewFirst(), m);
  env.set(op.getNewSecond(), v);
  return success();
}

LogicalResult oracle::evaluateOp(AdamRowsOp op, Environment &env) {
  Rates rates(op, env);
  Tensor p = env[op.getParameter()], m = env[op.getFirst()], v = env[op.getSecond()];
  LogicalResult done = forRows(op, env, p, [&](int64_t row, const std::vector<double> &sum) {
    for (int64_t j = 0; j < p.extent(1); ++j)
      p.at(row, j) -= rates.r * adamStep(op, env, rates.scale * sum[j], m.at(row, j), v.at(row, j));
  });
  env.set(op.getNewParameter(), p);
  env.set(op.getNewFirst(), m);
  env.set(op.getNewSecond(), v);
  return done;
}

LogicalResult oracle::evaluateOp(SquaredNormOp op, Environment &env) {
  const Tensor &input = env[op.getInput()];
  int64_t count = input.count();
  if (op.getCount()) // rows
    count = env[op.getCount()].integer() * (count / input.extent(0));
  Tensor &result = env.create(op.getResult());
  for (int64_t i = 0; i < count; ++i)
    result.reals[0] += input.reals[i] * input.reals[i];
  return success();
}

LogicalResult oracle::evaluateOp(ClipScaleOp op, Environment &env) {
  double sum = 0;
  for (mlir::Value norm : op.getSquaredNorms())
    sum += env[norm].real();
  double norm = std::sqrt(sum);
  env.create(op.getScale()).reals[0] = norm == 0 ? 1 : std::min(1.0, number(op.getNorm()) / norm);
  return success();
}
