// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The adjoint of each differentiable op, in tower ops. Each returns a gradient for each operand, null where there is
// none.

#include "dialect/RowGradients.h"
#include "dialect/Tower.h"

using namespace mlir;
using namespace tower;

using Needed = llvm::function_ref<bool(Value)>;

// The position of an operand among all operands of its op.
static unsigned position(OpOperand &operand) { return operand.getOperandNumber(); }
static unsigned position(MutableOperandRange range) { return range.begin()->getOperandNumber(); }

static RowGradientType rowGradientOf(Value table) {
  auto type = cast<RankedTensorType>(table.getType());
  return RowGradientType::get(table.getContext(), type.getDimSize(0), type.getDimSize(1));
}

static Value columnSum(OpBuilder &builder, Location loc, Value gradient) {
  auto type = cast<RankedTensorType>(gradient.getType());
  auto sum = RankedTensorType::get({type.getDimSize(1)}, type.getElementType());
  return ColumnSumOp::create(builder, loc, sum, gradient);
}

// What a layer's gradient is in front of the ReLU that it ends with, if it does.
static Value beforeRelu(OpBuilder &builder, Operation *op, bool relu, Value gradient) {
  if (!relu)
    return gradient;
  return ActivateGradOp::create(builder, op->getLoc(), gradient.getType(), Activation::relu, op->getResult(0),
                                gradient);
}

SmallVector<Value> LookupOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed needed) {
  SmallVector<Value> result(getNumOperands());
  if (needed(getTable()))
    result[position(getTableMutable())] = RowGradientOp::create(
        builder, getLoc(), rowGradientOf(getTable()), gradients[0], getIds(), getRows(), getMask(), getFeatureAttr());
  if (getOnto() && needed(getOnto()))
    result[position(getOntoMutable())] = gradients[0];
  return result;
}

SmallVector<Value> PooledLookupOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed needed) {
  SmallVector<Value> result(getNumOperands());
  if (needed(getTable()))
    result[position(getTableMutable())] = PooledRowGradientOp::create(
        builder, getLoc(), rowGradientOf(getTable()), gradients[0], getOffsets(), getValues(), getRows(), getMask(),
        getStep(), getSeed(), getPoolingAttr(), getLongestAttr(), getFeatureAttr(), getDropoutAttr(), getStreamAttr());
  if (getOnto() && needed(getOnto()))
    result[position(getOntoMutable())] = gradients[0];
  return result;
}

SmallVector<Value> SegmentLinearOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed needed) {
  SmallVector<Value> result(getNumOperands());
  Value dy = beforeRelu(builder, *this, getRelu(), gradients[0]);
  Value sums;
  if (getMask() || (getBias() && needed(getBias())))
    sums = columnSum(builder, getLoc(), dy);
  if (needed(getWeight()))
    result[position(getWeightMutable())] =
        SegmentWeightGradOp::create(builder, getLoc(), getWeight().getType(), getSegments(), getMask(), getDefaults(),
                                    dy, getMask() ? sums : Value(), /*onto=*/Value(), /*skip_masked=*/false);
  if (llvm::any_of(getSegments(), needed)) {
    auto op = SegmentInputGradOp::create(builder, getLoc(), TypeRange(getSegments()), dy, getWeight(), getMask(),
                                         /*skip_masked=*/false);
    for (auto [i, gradient] : llvm::enumerate(op.getSegments()))
      if (needed(getSegments()[i]))
        result[position(getSegmentsMutable()) + i] = gradient;
  }
  if (getBias() && needed(getBias()))
    result[position(getBiasMutable())] = sums;
  if (getOnto() && needed(getOnto()))
    result[position(getOntoMutable())] = dy;
  if (llvm::any_of(getDefaults(), needed)) {
    auto op = SegmentDefaultGradOp::create(builder, getLoc(), TypeRange(getDefaults()), sums, getWeight(), getMask());
    for (auto [i, gradient] : llvm::enumerate(op.getDefaults()))
      if (needed(getDefaults()[i]))
        result[position(getDefaultsMutable()) + i] = gradient;
  }
  return result;
}

SmallVector<Value> ProjectOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed needed) {
  auto table = cast<RankedTensorType>(getTable().getType());
  auto bound = BoundAttr::get(getContext(), std::min(table.getDimSize(0), mostContributions(gradients[0])));
  auto matrix = [&](int64_t columns) {
    return RankedTensorType::get({ShapedType::kDynamic, columns}, builder.getF32Type(), bound);
  };
  auto rows = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type(), bound);
  auto sum = SumRowsOp::create(builder, getLoc(), rows, matrix(cast<RankedTensorType>(getType()).getDimSize(1)),
                               RankedTensorType::get({}, builder.getI64Type()), gradients[0]);
  // The rows are numbers of rows already.
  Value ids =
      PositionsOp::create(builder, getLoc(), RankedTensorType::get({table.getDimSize(0)}, builder.getI32Type()));
  RankedTensorType some = matrix(table.getDimSize(1));
  SmallVector<Value> result(2);
  if (needed(getTable())) {
    Value gradient = MatmulOp::create(builder, getLoc(), some, /*transpose_lhs=*/false, /*transpose_rhs=*/true,
                                      sum.getValues(), getWeight(), /*gate=*/Value(), /*onto=*/Value());
    result[0] = RowGradientOp::create(builder, getLoc(), rowGradientOf(getTable()), gradient, ids, sum.getRows(),
                                      /*mask=*/Value(), /*feature=*/IntegerAttr());
  }
  if (needed(getWeight())) {
    Value embeddings = LookupOp::create(builder, getLoc(), some, getTable(), ids, sum.getRows(), /*mask=*/Value(),
                                        /*onto=*/Value(), /*feature=*/IntegerAttr());
    result[1] = MatmulOp::create(builder, getLoc(), getWeight().getType(), /*transpose_lhs=*/true,
                                 /*transpose_rhs=*/false, embeddings, sum.getValues(), /*gate=*/Value(),
                                 /*onto=*/Value());
  }
  return result;
}

SmallVector<Value> LinearOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed needed) {
  SmallVector<Value> result(getNumOperands());
  Value dy = beforeRelu(builder, *this, getRelu(), gradients[0]);
  if (needed(getInput()))
    result[0] = MatmulOp::create(builder, getLoc(), getInput().getType(), /*transpose_lhs=*/false,
                                 /*transpose_rhs=*/true, dy, getWeight(), /*gate=*/Value(), /*onto=*/Value());
  if (needed(getWeight()))
    result[1] = MatmulOp::create(builder, getLoc(), getWeight().getType(), /*transpose_lhs=*/true,
                                 /*transpose_rhs=*/false, getInput(), dy, /*gate=*/Value(), /*onto=*/Value());
  if (getBias() && needed(getBias()))
    result[2] = columnSum(builder, getLoc(), dy);
  return result;
}

SmallVector<Value> ActivateOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed) {
  if (getActivation() == Activation::identity)
    return {gradients[0]};
  // relu and tanh know their derivative from the output, so that no pre-activation need be kept.
  Value saved = getActivation() == Activation::gelu ? getInput() : getResult();
  return {ActivateGradOp::create(builder, getLoc(), getType(), getActivation(), saved, gradients[0])};
}

SmallVector<Value> NormalizeOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed) {
  return {NormalizeGradOp::create(builder, getLoc(), getType(), getInput(), gradients[0])};
}

SmallVector<Value> StackOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed needed) {
  SmallVector<Value> result(getNumOperands());
  int64_t from = 0;
  for (auto [i, input] : llvm::enumerate(getInputs())) {
    if (needed(input))
      result[i] = SliceRowsOp::create(builder, getLoc(), input.getType(), gradients[0], from);
    from += cast<RankedTensorType>(input.getType()).getDimSize(0);
  }
  return result;
}

SmallVector<Value> UnstackOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed) {
  SmallVector<Value> all;
  for (auto [part, gradient] : llvm::zip(getParts(), gradients)) {
    // A part that the loss does not depend on.
    all.push_back(gradient ? gradient
                           : ScaleOp::create(builder, getLoc(), part.getType(), part, builder.getF32FloatAttr(0)));
  }
  return {StackOp::create(builder, getLoc(), getInput().getType(), all)};
}

SmallVector<Value> ExpandRowsOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed needed) {
  SmallVector<Value> result(getNumOperands());
  if (needed(getInput()))
    result[0] =
        SumEqualRowsOp::create(builder, getLoc(), getInput().getType(), gradients[0], getDistinct(), getInverse());
  return result;
}

SmallVector<Value> InBatchSoftmaxOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed needed) {
  auto op =
      InBatchSoftmaxGradOp::create(builder, getLoc(), getQuery().getType(), getItem().getType(), gradients[0], getLse(),
                                   getQuery(), getItem(), getIds(), getLogQ(), getWeights(), getQueryIds(),
                                   getPositives(), getCounts(), getQueryRows(), getTemperatureAttr());
  SmallVector<Value> result(getNumOperands());
  if (needed(getQuery()))
    result[0] = op.getQueryGradient();
  if (needed(getItem()))
    result[1] = op.getItemGradient();
  return result;
}

SmallVector<Value> SpreadOutOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed) {
  return {SpreadOutGradOp::create(builder, getLoc(), getInput().getType(), gradients[0], getInput())};
}

SmallVector<Value> WeightedSumOp::adjoint(OpBuilder &builder, ValueRange gradients, Needed needed) {
  SmallVector<Value> result(getNumOperands());
  for (auto [i, input] : llvm::enumerate(getInputs()))
    if (needed(input))
      result[i] =
          ScaleOp::create(builder, getLoc(), input.getType(), gradients[0], builder.getF32FloatAttr(getWeights()[i]));
  return result;
}
