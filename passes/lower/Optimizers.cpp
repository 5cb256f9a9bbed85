// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of optimizers: one elementwise rule each, over all of a dense parameter or over a table's distinct rows, in
// place.
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "passes/lower/RowSum.h"

using namespace mlir;

namespace tower::lower {
namespace {

Value flat(Lowering &b, Value memory) {
  int64_t rank = cast<MemRefType>(memory.getType()).getRank();
  if (rank == 1)
    return memory;
  SmallVector<ReassociationIndices> together;
  if (rank == 0)
    return memref::ExpandShapeOp::create(b, MemRefType::get({1}, b.getF32Type()), memory, together);
  together.push_back(llvm::to_vector(llvm::seq<int64_t>(rank)));
  return memref::CollapseShapeOp::create(b, memory, together);
}

/// What an update has in common: its memory, and the scalars that every element is computed with.
template <class Op> class Update {
public:
  Update(Lowering &b, Op op) : b(b), op(op) {
    rate = b.mul(b.scalar(b.memory(op.getFactor())), b.f32(op.getRate().convertToFloat()));
    if (op.getScale())
      scale = b.scalar(b.memory(op.getScale()));
  }

  /// The memory of new values, parameter first; they hold the old ones.
  LogicalResult place(ValueRange old) {
    for (auto [result, value] : llvm::zip(op->getResults(), old)) {
      FailureOr<Value> memory = b.update(result, value);
      if (failed(memory))
        return failure();
      state.push_back(*memory);
    }
    return success();
  }

  using Rule = function_ref<void(Values &state, Value gradient, VectorType type)>;

  /// Applies `rule` to every element of dense parameters.
  LogicalResult dense(Value gradientTensor, Rule rule) {
    Value gradient = b.memory(gradientTensor);
    int64_t count = cast<MemRefType>(state[0].getType()).getNumElements();
    Values flatState;
    for (Value memory : state)
      flatState.push_back(flat(b, memory));
    bool contiguous = isContiguous(gradient);
    if (!contiguous) {
      // A slice with gaps: bring it together first.
      Value copy = b.allocateF32(shapeOf(gradient));
      b.copy(gradient, copy);
      gradient = copy;
    }
    gradient = flat(b, gradient);
    b.vectorsInPieces(count, kLanes * 8, [&](Value i, VectorType type) {
      apply(flatState, scaled(b.loadVector(type, gradient, i), type), i, type, rule);
    });
    return success();
  }

  /// Applies `rule` to the distinct rows; `perRow`, if given, runs first with the row's number in the table and the sum
  /// of its gradient's squares.
  LogicalResult rows(Rule rule, function_ref<void(Value row, Value squares)> perRow = nullptr) {
    if (op.getGradient())
      return rowsAsSummed(rule, perRow);
    Value rows = b.memory(op.getRows()), values = b.memory(op.getValues());
    int64_t width = shapeOf(values)[1];
    Value count = b.toIndex(b.scalar(b.memory(op.getCount())));
    b.bound(count, shapeOf(values)[0]);
    b.rows(count, width * 8, [&](Value d) {
      Value row = b.toIndex(b.load(rows, d));
      auto gradient = [&](Value column, VectorType type) {
        return scaled(b.loadVector(type, values, {d, column}), type);
      };
      if (perRow)
        perRow(row, b.fold(width, [&](Value column, VectorType type) {
          Value g = gradient(column, type);
          return b.mul(g, g);
        }));
      b.vectors(width, [&](Value column, VectorType type) {
        apply(state, gradient(column, type), ValueRange{row, column}, type, rule);
      });
    });
    return success();
  }

  /// p <- p - r decay p.
  Value decayed(Value p, VectorType type) {
    if constexpr (requires { op.getDecay(); })
      if (!op.getDecay().isZero())
        return b.mul(p, b.broadcast(b.sub(b.f32(1), b.mul(rate, b.f32(op.getDecay().convertToFloat()))), type));
    return p;
  }

  Values state;
  Value rate, scale;

private:
  /// The same where each row's sum goes from registers to the rule.
  LogicalResult rowsAsSummed(Rule rule, function_ref<void(Value row, Value squares)> perRow) {
    RowSum sum(b, op);
    if (failed(sum.collect(op.getGradient())))
      return failure();
    Value rows = b.allocate({sum.bound()}, b.getI32Type());
    sum.group(rows);
    sum.forRows(12 * sum.width(), [&](Value d, Value begin, Value end) {
      Value row = b.toIndex(b.load(rows, d));
      if (perRow)
        perRow(row, squaresOf(sum, begin, end));
      sum.forColumns([&](Value from, int64_t width) {
        SummedColumns columns = sum.sum(begin, end, from, width);
        for (auto [part, total] : llvm::zip(columns.parts, columns.sums))
          b.inPart(part, [&] {
            apply(state, scaled(total, part.type), ValueRange{row, part.column}, part.type, rule);
          });
      });
    });
    return success();
  }

  /// The sum of the squares of a row's sum, which is made here first and once more for the rule.
  Value squaresOf(RowSum &sum, Value begin, Value end) {
    Value result = b.f32(0);
    int64_t whole = sum.width() / RowSum::kColumns * RowSum::kColumns;
    auto add = [&](Value before, Value from, int64_t width) {
      SummedColumns columns = sum.sum(begin, end, from, width);
      for (auto [part, total] : llvm::zip(columns.parts, columns.sums)) {
        Value g = scaled(total, part.type);
        before = b.add(before, b.sumOf(part, b.mul(g, g)));
      }
      return before;
    };
    if (whole > 0)
      result =
          b.loop(b.index(0), b.index(whole), RowSum::kColumns, result,
                 [&](Value from, ValueRange before) -> Values { return {add(before[0], from, RowSum::kColumns)}; })[0];
    return sum.width() > whole ? add(result, b.index(whole), sum.width() - whole) : result;
  }

  Value scaled(Value gradient, VectorType type) { return scale ? b.mul(gradient, b.broadcast(scale, type)) : gradient; }

  void apply(ValueRange memories, Value gradient, ValueRange at, VectorType type, Rule rule) {
    // One accumulator a row is not a matrix; it is updated before.
    Values elements;
    for (Value memory : memories)
      if (cast<MemRefType>(memory.getType()).getRank() == static_cast<int64_t>(at.size()))
        elements.push_back(b.loadVector(type, memory, at));
    rule(elements, gradient, type);
    unsigned next = 0;
    for (Value memory : memories)
      if (cast<MemRefType>(memory.getType()).getRank() == static_cast<int64_t>(at.size()))
        b.store(elements[next++], memory, at);
  }

  Lowering &b;
  Op op;
};

template <class Op> auto sgdRule(Lowering &b, Update<Op> &update) {
  return [&](Values &state, Value g, VectorType type) {
    state[0] = b.sub(update.decayed(state[0], type), b.mul(g, b.broadcast(update.rate, type)));
  };
}

template <class Op> auto adagradRule(Lowering &b, Op op, Update<Op> &update) {
  return [&b, op, &update](Values &state, Value g, VectorType type) mutable {
    state[1] = b.fma(g, g, state[1]);
    Value root = b.add(b.sqrt(state[1]), b.splat(op.getEpsilon().convertToFloat(), type));
    Value change = b.div(b.mul(g, b.broadcast(update.rate, type)), root);
    state[0] = b.sub(update.decayed(state[0], type), change);
  };
}

/// 1 - beta^(step + 1) by squaring: exact to a few roundings for any step.
Value correction(Lowering &b, Value step, double beta) {
  Value t = b.add(step, b.integer(1, 64)), one = b.integer(1, 64), zero = b.integer(0, 64);
  Type f64 = b.getF64Type();
  Value base = arith::ConstantOp::create(b, b.getF64FloatAttr(beta));
  Value unit = arith::ConstantOp::create(b, b.getF64FloatAttr(1));
  Values result = b.whileLoop(
      {t, base, unit}, [&](ValueRange v) -> Value { return b.compare(arith::CmpIPredicate::ne, v[0], zero); },
      [&](ValueRange v) -> Values {
        Value odd = b.compare(arith::CmpIPredicate::ne, Value(arith::AndIOp::create(b, v[0], one)), zero);
        Value power = b.select(odd, Value(arith::MulFOp::create(b, v[2], v[1])), v[2]);
        return {arith::ShRUIOp::create(b, v[0], one), arith::MulFOp::create(b, v[1], v[1]), power};
      });
  Value difference = arith::SubFOp::create(b, f64, unit, result[2]);
  return arith::TruncFOp::create(b, b.getF32Type(), difference);
}

/// The scalars of adam: r / (1 - beta1^t) and 1 / sqrt(1 - beta2^t).
template <class Op> auto adamRule(Lowering &b, Op op, Update<Op> &update) {
  float beta1 = op.getBeta1().convertToFloat(), beta2 = op.getBeta2().convertToFloat();
  Value step = b.scalar(b.memory(op.getStep()));
  Value first = b.div(update.rate, correction(b, step, beta1));
  Value second = b.div(b.f32(1), b.sqrt(correction(b, step, beta2)));
  return [=, &b, &update](Values &state, Value g, VectorType type) mutable {
    state[1] = b.fma(state[1], b.splat(beta1, type), b.mul(g, b.splat(1.0f - beta1, type)));
    state[2] = b.fma(state[2], b.splat(beta2, type), b.mul(b.mul(g, g), b.splat(1.0f - beta2, type)));
    Value root =
        b.add(b.mul(b.sqrt(state[2]), b.broadcast(second, type)), b.splat(op.getEpsilon().convertToFloat(), type));
    Value change = b.div(b.mul(state[1], b.broadcast(first, type)), root);
    state[0] = b.sub(update.decayed(state[0], type), change);
  };
}

} // namespace

LogicalResult lower(Lowering &b, SgdOp op) {
  Update update(b, op);
  if (failed(update.place(op.getParameter())))
    return failure();
  return update.dense(op.getGradient(), sgdRule(b, update));
}

LogicalResult lower(Lowering &b, SgdRowsOp op) {
  Update update(b, op);
  if (failed(update.place(op.getParameter())))
    return failure();
  return update.rows(sgdRule(b, update));
}

LogicalResult lower(Lowering &b, AdagradOp op) {
  Update update(b, op);
  if (failed(update.place({op.getParameter(), op.getAccumulator()})))
    return failure();
  return update.dense(op.getGradient(), adagradRule(b, op, update));
}

LogicalResult lower(Lowering &b, AdagradRowsOp op) {
  Update update(b, op);
  if (failed(update.place({op.getParameter(), op.getAccumulator()})))
    return failure();
  return update.rows(adagradRule(b, op, update));
}

LogicalResult lower(Lowering &b, RowwiseAdagradRowsOp op) {
  Update update(b, op);
  if (failed(update.place({op.getParameter(), op.getAccumulator()})))
    return failure();
  Value factor;
  int64_t width = cast<RankedTensorType>(op.getParameter().getType()).getDimSize(1);
  return update.rows(
      [&](Values &state, Value g, VectorType type) { state[0] = b.sub(state[0], b.mul(g, b.broadcast(factor, type))); },
      [&](Value row, Value squares) {
        Value accumulator = b.fma(squares, b.f32(1.0 / static_cast<double>(width)), b.load(update.state[1], row));
        b.store(accumulator, update.state[1], row);
        factor = b.div(update.rate, b.add(b.sqrt(accumulator), b.f32(op.getEpsilon().convertToFloat())));
      });
}

LogicalResult lower(Lowering &b, AdamOp op) {
  Update update(b, op);
  if (failed(update.place({op.getParameter(), op.getFirst(), op.getSecond()})))
    return failure();
  return update.dense(op.getGradient(), adamRule(b, op, update));
}

LogicalResult lower(Lowering &b, AdamRowsOp op) {
  Update update(b, op);
  if (failed(update.place({op.getParameter(), op.getFirst(), op.getSecond()})))
    return failure();
  return update.rows(adamRule(b, op, update));
}

LogicalResult lower(Lowering &b, SquaredNormOp op) {
  Value input = b.memory(op.getInput()), result = b.define(op.getResult());
  ArrayRef<int64_t> shape = shapeOf(input);
  if (shape.empty()) {
    Value x = b.scalar(input);
    b.store(b.mul(x, x), result);
    return success();
  }
  if (shape.size() == 1) {
    // A bias: as wide as a layer.
    Value sum = b.fold(shape[0], [&](Value i, VectorType type) {
      Value x = b.loadVector(type, input, i);
      return b.mul(x, x);
    });
    b.store(sum, result);
    return success();
  }
  // Each row's sum, then their sum.
  Value count = op.getCount() ? b.toIndex(b.scalar(b.memory(op.getCount()))) : b.index(shape[0]);
  b.bound(count, shape[0]);
  Value sums = b.allocateF32({shape[0]});
  b.rows(count, 2 * shape[1], [&](Value row) {
    Value sum = b.fold(shape[1], [&](Value column, VectorType type) {
      Value x = b.loadVector(type, input, {row, column});
      return b.mul(x, x);
    });
    b.store(sum, sums, row);
  });
  b.store(b.total(sums, count), result);
  return success();
}

LogicalResult lower(Lowering &b, ClipScaleOp op) {
  Value sum = b.f32(0);
  for (Value norm : op.getSquaredNorms())
    sum = b.add(sum, b.scalar(b.memory(norm)));
  Value norm = b.sqrt(sum), most = b.f32(op.getNorm().convertToFloat());
  // 1 unless the norm is larger, so that zero never divides.
  Value larger = b.compare(arith::CmpFPredicate::OGT, norm, most);
  b.store(b.select(larger, b.div(most, norm), b.f32(1)), b.define(op.getScale()));
  return success();
}

} // namespace tower::lower
