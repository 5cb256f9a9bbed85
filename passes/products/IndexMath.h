// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Index arithmetic that is done at compile time where it can be, so that one description of a loop nest serves static
// and dynamic sizes: a loop that runs once is no loop, and an empty one is nothing.
#ifndef TOWER_PASSES_PRODUCTS_INDEXMATH_H
#define TOWER_PASSES_PRODUCTS_INDEXMATH_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/Value.h"
#include <cassert>
#include <cstdint>
#include <optional>

namespace tower::products {

/// A non-negative index: a number known now, or a value of type `index`.
class Index {
public:
  Index(int64_t number = 0) : number(number) {}
  Index(mlir::Value value) : dynamic(value) {}

  bool isKnown() const { return number.has_value(); }
  bool is(int64_t other) const { return number == other; }
  /// Whether this is known to be a multiple of `divisor`.
  bool isMultipleOf(int64_t divisor) const { return number && *number % divisor == 0; }
  int64_t known() const { return *number; }
  /// The number if it is known, else a guess for cost models.
  int64_t knownOr(int64_t guess) const { return number.value_or(guess); }
  mlir::Value value() const { return dynamic; }

private:
  std::optional<int64_t> number;
  mlir::Value dynamic;
};

/// Builds arithmetic and loops over Index at the builder's insertion point.
class IndexMath {
public:
  IndexMath(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;

  mlir::Value materialize(Index x);
  Index fromFoldResult(mlir::OpFoldResult x);
  Index dim(mlir::Value memref, int64_t dimension);

  Index add(Index x, Index y);
  Index sub(Index x, Index y);
  Index mul(Index x, Index y);
  Index div(Index x, Index y);
  Index rem(Index x, Index y);
  Index min(Index x, Index y);
  Index max(Index x, Index y);
  Index ceilDiv(Index x, int64_t y);
  /// x rounded down to a multiple of y.
  Index roundDown(Index x, int64_t y);

  /// How many of `block` elements remain of `total` from `start`, a multiple of `block`, on.
  Index blockLength(Index total, Index start, int64_t block);

  /// for (i = low; i < high; i += step) body(i)
  void loop(Index low, Index high, int64_t step, llvm::function_ref<void(Index)> body);
  /// if (x < y) body()
  void ifLess(Index x, Index y, llvm::function_ref<void()> body);
  /// A one-dimensional scf.parallel over `pieces`.
  void parallel(Index pieces, llvm::function_ref<void(Index)> body);
};

} // namespace tower::products

#endif
