// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One matrix product, compiled as `towerc` compiles those of a model.
#ifndef TOWER_TEST_BENCHMARKS_COMPILEDPRODUCT_H
#define TOWER_TEST_BENCHMARKS_COMPILEDPRODUCT_H

#include "passes/target/EmitObject.h"
#include "runtime/Pool.h"
#include "runtime/tower_abi.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tower::benchmark {

struct Shape {
  const char *form, *what; ///< form: NN, TN or NT
  int64_t m, n, k;
};

class CompiledProduct {
public:
  /// Of f32, or with `bf16` of operands rounded to it. Ends the program if it cannot be compiled.
  CompiledProduct(const Shape &shape, const TargetDescription &target, bool bf16);
  ~CompiledProduct();

  /// C = op(A) op(B).
  void run(const float *a, const float *b, float *c, rt::Pool &pool);

private:
  struct Parts;
  std::unique_ptr<Parts> parts;
};

} // namespace tower::benchmark

#endif
