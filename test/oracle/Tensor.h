// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the oracle computes with: dense tensors in double, integers in int64, row gradients as lists.
#ifndef TEST_ORACLE_TENSOR_H
#define TEST_ORACLE_TENSOR_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tower::oracle {

/// One contribution to a row of a table's gradient.
struct Contribution {
  int64_t row;
  std::vector<double> values;
};

/// A value of the IR. An f32 tensor has `reals`; one of i1, i32 or i64 has `integers`; a !tower.row_gradient has
/// `contributions` and the table's shape. Row-major.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<double> reals;
  std::vector<int64_t> integers;
  std::vector<Contribution> contributions;

  static Tensor ofReals(std::vector<int64_t> shape, std::vector<double> values) {
    return {std::move(shape), std::move(values), {}, {}};
  }
  static Tensor ofIntegers(std::vector<int64_t> shape, std::vector<int64_t> values) {
    return {std::move(shape), {}, std::move(values), {}};
  }
  static Tensor scalar(double value) { return ofReals({}, {value}); }
  static Tensor scalar(int64_t value) { return ofIntegers({}, {value}); }

  int64_t extent(size_t dimension) const { return shape[dimension]; }
  int64_t count() const {
    int64_t product = 1;
    for (int64_t extent : shape)
      product *= extent;
    return product;
  }

  /// Of a scalar.
  double real() const { return reals.front(); }
  int64_t integer() const { return integers.front(); }

  /// An element of a matrix of reals.
  double &at(int64_t i, int64_t j) { return reals[i * shape[1] + j]; }
  double at(int64_t i, int64_t j) const { return reals[i * shape[1] + j]; }
};

} // namespace tower::oracle

#endif
