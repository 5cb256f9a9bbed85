// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of in-batch softmax that the loss and its adjoint share: scores, weights, who is left out.
#ifndef TEST_ORACLE_SOFTMAX_H
#define TEST_ORACLE_SOFTMAX_H

#include "test/oracle/Environment.h"

namespace tower::oracle {

struct Softmax {
  const Tensor &q, &x;
  const Tensor *ids, *logQ, *weights, *queryIds; ///< null where the op has none.
  double temperature;
  int64_t rows, columns;

  template <typename Op>
  Softmax(Op op, const Environment &env)
      : q(env[op.getQuery()]), x(env[op.getItem()]), ids(optional(op.getIds(), env)), logQ(optional(op.getLogQ(), env)),
        weights(optional(op.getWeights(), env)), queryIds(optional(op.getQueryIds(), env)),
        temperature(op.getTemperature().convertToFloat()), rows(q.extent(0)), columns(x.extent(0)) {}

  /// s_iu = <q_i, x_u> / temperature - log_q_u
  double score(int64_t i, int64_t u) const {
    double sum = 0;
    for (int64_t j = 0; j < q.extent(1); ++j)
      sum += q.at(i, j) * x.at(u, j);
    return sum / temperature - (logQ ? logQ->reals[u] : 0.0);
  }

  /// m_iu: is column u in the sum of row i?
  bool isIn(int64_t i, int64_t u) const {
    if (u == i)
      return true;
    if (ids && ids->integers[u] == ids->integers[i])
      return false;
    return !(queryIds && u < rows && queryIds->integers[u] == queryIds->integers[i]);
  }

  double weight(int64_t i) const { return weights ? weights->reals[i] : 1.0; }

  double totalWeight() const {
    double sum = 0;
    for (int64_t i = 0; i < rows; ++i)
      sum += weight(i);
    return sum;
  }

private:
  static const Tensor *optional(mlir::Value value, const Environment &env) { return value ? &env[value] : nullptr; }
};

} // namespace tower::oracle

#endif
