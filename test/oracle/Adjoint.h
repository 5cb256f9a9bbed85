// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Adjoints against central differences: of one op alone.
#ifndef TEST_ORACLE_ADJOINT_H
#define TEST_ORACLE_ADJOINT_H

#include "dialect/Tower.h"
#include "test/oracle/Tensor.h"

#include <random>
#include <string>

namespace tower::oracle {

using RandomEngine = std::mt19937_64;

/// `count` normal numbers of the given deviation.
std::vector<double> normalNumbers(RandomEngine &random, int64_t count, double deviation = 1);

/// Central differences of a function at 0. Where the first one is further than `tolerance` from `expected`, another
/// step is tried, and the closer one returned: where one crosses the kink of a relu, the other rarely does.
double centralDifference(llvm::function_ref<mlir::FailureOr<double>(double)> function, double scale, double expected,
                         double tolerance);

/// Compares the adjoint of `op`, made by its interface, with central differences of <r, results> for random r.
/// `operands` are the op's operands, in order; up to `elements` elements of each f32 operand are varied. Returns "" or
/// what differs.
std::string checkAdjoint(Differentiable op, llvm::ArrayRef<Tensor> operands, RandomEngine &random, int elements = 12);

} // namespace tower::oracle

#endif
