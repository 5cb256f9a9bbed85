// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of in-batch softmax that the loss and its adjoint share: scores, weights, who is left out.
#ifndef TEST_ORACLE_SOFTMAX_H
#define TEST_ORACLE_SOFTMAX_H

#include "test/oracle/Environment.h"

#include <utility>
#include <vector>

namespace tower::oracle {

struct Softmax {
  const Tensor &q, &x;
  const Tensor *ids, *logQ, *weights, *queryIds, *positives, *counts, *queryRows; ///< null where the op has none.
  double temperature;
  int64_t rows, columns;

  template <typename Op>
  Softmax(Op op, const Environment &env)
      : q(env[op.getQuery()]), x(env[op.getItem()]), ids(optional(op.getIds(), env)), logQ(optional(op.getLogQ(), env)),
        weights(optional(op.getWeights(), env)), queryIds(optional(op.getQueryIds(), env)),
        positives(optional(op.getPositives(), env)), counts(optional(op.getCounts(), env)),
        queryRows(optional(op.getQueryRows(), env)), temperature(op.getTemperature().convertToFloat()),
        rows(queryRows ? queryRows->extent(0) : q.extent(0)), columns(x.extent(0)) {}

  /// The row of q that pair i has.
  int64_t queryRow(int64_t i) const { return queryRows ? queryRows->integers[i] : i; }

  /// s_iu = <q_i, x_u> / temperature - log_q_u
  double score(int64_t i, int64_t u) const {
    double sum = 0;
    for (int64_t j = 0; j < q.extent(1); ++j)
      sum += q.at(queryRow(i), j) * x.at(u, j);
    return sum / temperature - (logQ ? logQ->reals[u] : 0.0);
  }

  /// The column of row i's positive.
  int64_t positive(int64_t i) const { return positives ? positives->integers[i] : i; }

  /// m_iu: how often column u is in the sum of row i.
  double multiplicity(int64_t i, int64_t u) const {
    if (counts)
      return ids && u == positive(i) ? 1 : counts->integers[u];
    if (u == i)
      return 1;
    if (ids && ids->integers[u] == ids->integers[i])
      return 0;
    return queryIds && u < rows && queryIds->integers[u] == queryIds->integers[i] ? 0 : 1;
  }

  /// The loss, and log Z_i of each pair.
  std::pair<double, std::vector<double>> evaluate() const;

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
