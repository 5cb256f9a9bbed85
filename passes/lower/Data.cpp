// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of sampling, masks and what is read from columns row by row.
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/RuntimeCalls.h"
#include "passes/lower/Lower.h"
#include "runtime/Philox.h"

namespace tower::lower {
namespace {

Value stream(Lowering &b, llvm::StringRef name) { return b.integer(static_cast<int32_t>(rt::fnv1a32(name)), 32); }

Value asI64(Lowering &b, Value index) { return mlir::arith::IndexCastOp::create(b, b.getI64Type(), index); }

} // namespace

LogicalResult lower(Lowering &b, SamplePairsOp op) {
  Value positions = b.define(op.getPositions());
  Value total = asI64(b, b.extent(b.memory(op.getPairs()), 0));
  b.callRuntime(TOWER_RUNTIME_FUNCTION(b.module(), tower_rt_sample_pairs),
                {b.scalar(b.memory(op.getSeed())), stream(b, op.getStream()), b.scalar(b.memory(op.getStep())),
                 b.integer(shapeOf(positions)[0], 64), total, b.pointer(positions)});
  return mlir::success();
}

LogicalResult lower(Lowering &b, SampleUniformOp op) {
  Value rows = b.define(op.getRows());
  b.callRuntime(TOWER_RUNTIME_FUNCTION(b.module(), tower_rt_sample_uniform),
                {b.scalar(b.memory(op.getSeed())), stream(b, op.getStream()), b.scalar(b.memory(op.getStep())),
                 b.integer(shapeOf(rows)[0], 64), b.scalar(b.memory(op.getItems())), b.pointer(rows)});
  return mlir::success();
}

LogicalResult lower(Lowering &b, FeatureMaskOp op) {
  Value mask = b.define(op.getMask());
  Value order = op.getOrder() ? b.pointer(b.memory(op.getOrder()))
                              : Value(mlir::LLVM::ZeroOp::create(b, mlir::LLVM::LLVMPointerType::get(b.getContext())));
  b.callRuntime(TOWER_RUNTIME_FUNCTION(b.module(), tower_rt_feature_mask),
                {b.scalar(b.memory(op.getSeed())), stream(b, op.getStream()), b.scalar(b.memory(op.getStep())),
                 b.integer(shapeOf(mask)[0], 64), b.integer(op.getCount(), 64), order, b.pointer(mask)});
  return mlir::success();
}

LogicalResult lower(Lowering &b, ComplementOp op) {
  Value mask = b.memory(op.getMask()), result = b.define(op.getResult());
  b.loop(b.index(0), b.extent(result, 0), 1,
         [&](Value f) { b.store(mlir::arith::XOrIOp::create(b, b.load(mask, f), b.integer(1, 8)), result, f); });
  return mlir::success();
}

LogicalResult lower(Lowering &b, TakeOp op) {
  Value column = b.memory(op.getColumn()), rows = b.memory(op.getRows()), result = b.define(op.getResult());
  b.elements(b.rowCount(op.getResult()), 2,
             [&](Value i) { b.store(b.load(column, b.toIndex(b.load(rows, i))), result, i); });
  return mlir::success();
}

LogicalResult lower(Lowering &b, PositionsOp op) {
  Value result = b.define(op.getResult());
  b.elements(b.extent(result, 0), 1, [&](Value i) { b.store(b.toI32(i), result, i); });
  return mlir::success();
}

LogicalResult lower(Lowering &b, DenseOp op) {
  Value numbers = b.memory(op.getNumbers()), rows = b.memory(op.getRows()), result = b.define(op.getResult());
  Value mean = b.memory(op.getMean()), deviation = b.memory(op.getDeviation());
  b.rows(b.rowCount(op.getResult()), shapeOf(result)[1] * 8, [&](Value i) {
    Value row = b.toIndex(b.load(rows, i));
    b.vectors(shapeOf(result)[1], [&](Value column, VectorType type) {
      Value x = b.loadVector(type, numbers, {row, column});
      if (op.getScaling() == Scaling::log_standardized)
        x = mlir::math::LogOp::create(b, b.add(x, b.splat(1, type)));
      if (op.getScaling() != Scaling::none)
        x = b.div(b.sub(x, b.loadVector(type, mean, column)), b.loadVector(type, deviation, column));
      b.store(x, result, {i, column});
    });
  });
  return mlir::success();
}

} // namespace tower::lower
