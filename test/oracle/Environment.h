// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inside the oracle: the values computed so far, and the function that evaluates each op.
#ifndef TEST_ORACLE_ENVIRONMENT_H
#define TEST_ORACLE_ENVIRONMENT_H

#include "dialect/Tower.h"
#include "test/oracle/Tensor.h"

#include <map>

namespace tower::oracle {

/// Of a number in single precision: with 8 significant bits, from a tie to the even one.
double roundedToBf16(double x);

/// Values by the SSA value they belong to. References stay valid.
class Environment {
public:
  bool has(mlir::Value value) const { return values.count(value.getAsOpaquePointer()); }
  const Tensor &operator[](mlir::Value value) const { return values.at(value.getAsOpaquePointer()); }
  void set(mlir::Value value, Tensor tensor) { values[value.getAsOpaquePointer()] = std::move(tensor); }

  /// A new value of the shape of its type, all zero. A value with a #tower.bound has `boundedRows` rows.
  Tensor &create(mlir::Value value) { return create(value, boundedRows); }
  Tensor &create(mlir::Value value, int64_t rows);

  int64_t boundedRows = 0; ///< Rows of the operands of bounded extent of the op that is evaluated.

  bool bf16 = false; ///< See Options.
  /// A factor of a layer's product, as it is multiplied.
  double factor(double x) const { return bf16 ? roundedToBf16(x) : x; }

  int64_t k = -1; ///< How many items tower.top_k keeps; -1: unknown.

private:
  std::map<const void *, Tensor> values;
};

/// Fails, naming the op, unless 0 <= index < extent.
mlir::LogicalResult checkIndex(mlir::Operation *op, const char *what, int64_t index, int64_t extent);

/// 1 where an optional mask masks the feature.
bool isMasked(const Environment &env, mlir::Value mask, std::optional<uint64_t> feature);

/// The value of position `position` of a single-valued feature: the table's row.
template <typename Op>
mlir::FailureOr<int64_t> idOf(Op op, const Environment &env, int64_t position, int64_t tableRows) {
  const Tensor &ids = env[op.getIds()];
  int64_t row = env[op.getRows()].integers[position];
  if (failed(checkIndex(op, "row", row, ids.extent(0))))
    return mlir::failure();
  if (failed(checkIndex(op, "id", ids.integers[row], tableRows)))
    return mlir::failure();
  return ids.integers[row];
}

/// The values of position `position` of a multi-valued feature that survive dropout, in order.
mlir::FailureOr<std::vector<int64_t>> survivingValues(PooledLookupOp op, const Environment &env, int64_t position,
                                                      int64_t tableRows);
mlir::FailureOr<std::vector<int64_t>> survivingValues(PooledRowGradientOp op, const Environment &env, int64_t position,
                                                      int64_t tableRows);

/// A row gradient with equal rows summed, by row.
std::map<int64_t, std::vector<double>> sumsByRow(const Tensor &gradient);

/// What each of `count` > 0 values is multiplied with.
double poolingFactor(Pooling pooling, size_t count);

// One function an op, in the order of the dialect's files.
#define TOWER_ORACLE_OP(OP) mlir::LogicalResult evaluateOp(OP op, Environment &env);
#include "test/oracle/Ops.def"
#undef TOWER_ORACLE_OP

} // namespace tower::oracle

#endif
