// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of an encoder's layers behind the first, forward and back.
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/lower/Lower.h"

#include <numbers>

using namespace mlir;

namespace tower::lower {
namespace {

/// 1 / max(|z|, 1e-12) of a row.
Value inverseNorm(Lowering &b, Value z, Value row) {
  Value squares = b.fold(shapeOf(z)[1], [&](Value column, VectorType type) {
    Value x = b.loadVector(type, z, {row, column});
    return b.mul(x, x);
  });
  return b.div(b.f32(1), b.max(b.sqrt(squares), b.f32(1e-12)));
}

/// Phi(x) = (1 + erf(x / sqrt 2)) / 2.
Value normalDistribution(Lowering &b, Value x, VectorType type) {
  Value scaled = b.mul(x, b.splat(1 / std::numbers::sqrt2, type));
  Value half = b.splat(0.5, type);
  return b.fma(half, math::ErfOp::create(b, scaled), half);
}

} // namespace

LogicalResult lower(Lowering &b, ProjectOp op) {
  b.layerProduct(b.memory(op.getTable()), false, b.memory(op.getWeight()), false, b.define(op.getResult()),
                 /*accumulate=*/false);
  return success();
}

LogicalResult lower(Lowering &b, LinearOp op) {
  b.define(op.getResult());
  b.layerProduct(b.rowsInUse(op.getInput()), false, b.memory(op.getWeight()), false, b.rowsInUse(op.getResult()),
                 /*accumulate=*/false, {b.memory(op.getBias()), op.getRelu()});
  return success();
}

LogicalResult lower(Lowering &b, ActivateOp op) {
  Value input = b.memory(op.getInput());
  Activation activation = op.getActivation();
  if (activation == Activation::identity && b.isFinal(input)) {
    b.alias(op.getResult(), input);
    return success();
  }
  int64_t cost = activation == Activation::identity || activation == Activation::relu ? 1 : 16;
  b.elementwise(
      input, b.define(op.getResult()), cost,
      [&](ValueRange values, VectorType type) -> Value {
        Value x = values[0];
        switch (activation) {
        case Activation::identity:
          return x;
        case Activation::relu:
          return b.max(x, b.splat(0, type));
        case Activation::tanh:
          return math::TanhOp::create(b, x);
        case Activation::gelu:
          return b.mul(x, normalDistribution(b, x, type));
        }
        llvm_unreachable("all activations are listed");
      },
      b.rowCount(op.getResult()));
  return success();
}

LogicalResult lower(Lowering &b, ActivateGradOp op) {
  Value saved = b.memory(op.getSaved()), gradient = b.memory(op.getGradient());
  int64_t cost = op.getActivation() == Activation::gelu ? 32 : 2;
  b.elementwise(
      {saved, gradient}, b.define(op.getResult()), cost,
      [&](ValueRange values, VectorType type) -> Value {
        Value y = values[0], dy = values[1];
        switch (op.getActivation()) {
        case Activation::identity:
          return dy;
        case Activation::relu:
          return b.select(b.compare(arith::CmpFPredicate::OGT, y, b.splat(0, type)), dy, b.splat(0, type));
        case Activation::tanh:
          return b.mul(dy, b.sub(b.splat(1, type), b.mul(y, y)));
        case Activation::gelu: {
          Value density = math::ExpOp::create(b, b.mul(b.mul(y, y), b.splat(-0.5, type)));
          Value slope = b.mul(y, b.mul(density, b.splat(0.5 * std::numbers::inv_sqrtpi * std::numbers::sqrt2, type)));
          return b.mul(dy, b.add(normalDistribution(b, y, type), slope));
        }
        }
        llvm_unreachable("all activations are listed");
      },
      b.rowCount(op.getResult()));
  return success();
}

LogicalResult lower(Lowering &b, NormalizeOp op) {
  Value z = b.memory(op.getInput()), result = b.define(op.getResult());
  int64_t width = shapeOf(z)[1];
  b.rows(b.rowCount(op.getResult()), 3 * width, [&](Value i) {
    Value inverse = inverseNorm(b, z, i);
    b.vectors(width, [&](Value column, VectorType type) {
      b.store(b.mul(b.loadVector(type, z, {i, column}), b.broadcast(inverse, type)), result, {i, column});
    });
  });
  return success();
}

LogicalResult lower(Lowering &b, NormalizeGradOp op) {
  Value z = b.memory(op.getInput()), g = b.memory(op.getGradient()), result = b.define(op.getResult());
  int64_t width = shapeOf(z)[1];
  b.rows(b.rowCount(op.getResult()), 6 * width, [&](Value i) {
    Value inverse = inverseNorm(b, z, i);
    Value dot = b.fold(width, [&](Value column, VectorType type) {
      return b.mul(b.loadVector(type, z, {i, column}), b.loadVector(type, g, {i, column}));
    });
    // dz = (g - u <u, g>) / r with u = z / r.
    Value along = b.mul(b.mul(dot, inverse), inverse);
    b.vectors(width, [&](Value column, VectorType type) {
      Value across = b.sub(b.loadVector(type, g, {i, column}),
                           b.mul(b.loadVector(type, z, {i, column}), b.broadcast(along, type)));
      b.store(b.mul(across, b.broadcast(inverse, type)), result, {i, column});
    });
  });
  return success();
}

LogicalResult lower(Lowering &b, StackOp op) {
  Value result = b.stackMemory(op);
  int64_t from = 0;
  for (Value value : op.getInputs()) {
    Value input = b.memory(value), start = b.index(from);
    int64_t count = shapeOf(input)[0];
    // The first stack that a value is a part of has it already.
    if (b.isInStack(op, value, from)) {
      from += count;
      continue;
    }
    if (shapeOf(input).size() == 1)
      b.elements(b.index(count), 1, [&](Value i) { b.store(b.load(input, i), result, b.add(i, start)); });
    else
      b.copy(input, b.rowsOf(result, b.getIndexAttr(from), b.getIndexAttr(count)));
    from += count;
  }
  return success();
}

LogicalResult lower(Lowering &b, UnstackOp op) {
  Value input = b.memory(op.getInput());
  int64_t from = 0;
  for (Value part : op.getParts()) {
    int64_t count = cast<RankedTensorType>(part.getType()).getDimSize(0);
    Value rows = b.rowsOf(input, b.getIndexAttr(from), b.getIndexAttr(count));
    if (b.isFinal(input) && !b.isResult(part))
      b.alias(part, rows);
    else
      b.copy(rows, b.define(part));
    from += count;
  }
  return success();
}

} // namespace tower::lower
