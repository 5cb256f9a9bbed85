// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of the losses' sum and of the spread-out regularizer.
#include "passes/lower/Blocks.h"

using namespace mlir;

namespace tower::lower {

LogicalResult lower(Lowering &b, SpreadOutOp op) {
  Value z = b.memory(op.getInput()), loss = b.define(op.getLoss());
  int64_t count = shapeOf(z)[0];
  Value terms = b.allocateF32({count});
  forBlocks(b, z, count, z, count, [&](const Block &block) {
    forRows(b, block, count, [&](Value local, Value row) {
      b.store(b.f32(0), block.scores, {local, row});
      Value sum = b.fold(count, [&](Value column, VectorType type) {
        Value s = b.loadVector(type, block.scores, {local, column});
        return b.mul(s, s);
      });
      b.store(sum, terms, row);
    });
  });
  b.store(b.div(b.total(terms), b.f32(static_cast<double>(count))), loss);
  return success();
}

LogicalResult lower(Lowering &b, SpreadOutGradOp op) {
  Value z = b.memory(op.getInput()), dz = b.define(op.getResult());
  int64_t count = shapeOf(z)[0];
  Value scale = b.mul(b.scalar(b.memory(op.getGradient())), b.f32(4.0 / static_cast<double>(count)));
  forBlocks(b, z, count, z, count, [&](const Block &block) {
    forRows(b, block, count, [&](Value local, Value row) {
      b.vectors(count, [&](Value column, VectorType type) {
        Value s = b.loadVector(type, block.scores, {local, column});
        b.store(b.mul(s, b.broadcast(scale, type)), block.scores, {local, column});
      });
      b.store(b.f32(0), block.scores, {local, row});
    });
    b.product(block.scores, false, z, false, b.rowsOf(dz, block.first, block.count), false);
  });
  return success();
}

LogicalResult lower(Lowering &b, WeightedSumOp op) {
  Value sum;
  for (auto [input, weight] : llvm::zip(op.getInputs(), op.getWeights())) {
    Value term = b.mul(b.scalar(b.memory(input)), b.f32(weight));
    sum = sum ? b.add(sum, term) : term;
  }
  b.store(sum ? sum : b.f32(0), b.define(op.getResult()));
  return success();
}

} // namespace tower::lower
