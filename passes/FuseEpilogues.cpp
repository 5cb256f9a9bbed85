// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What follows a product elementwise is done while its result is still in registers: max(x W + b, 0) in a layer, the
// ReLU's derivative behind dY W^T, and the sum of two gradients of one weight, whose second product is added to the
// first. The layer's input to its activation is then never stored.
#include "dialect/Tower.h"
#include "passes/Decision.h"
#include "passes/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_FUSEEPILOGUES
#include "passes/Passes.h.inc"

namespace {

int64_t bytesOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t elements = type.getRank() == 0 ? 1 : mostRows(type);
  for (int64_t extent : type.getShape().drop_front(type.getRank() == 0 ? 0 : 1))
    elements *= extent;
  return elements * static_cast<int64_t>(sizeof(float));
}

struct FuseEpilogues : impl::FuseEpiloguesBase<FuseEpilogues> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<ActivateOp, ActivateGradOp, AddOp>(op))
        ops.push_back(op);
    });
    erased.clear();
    for (Operation *op : ops)
      if (!erased.contains(op))
        llvm::TypeSwitch<Operation *>(op).Case<ActivateOp, ActivateGradOp, AddOp>([&](auto typed) { fuse(typed); });
  }

  void decline(Operation *op, const Twine &why) { reportDeclined(op, getArgument(), why); }

  /// `op` becomes a part of `product`, whose result takes its place. What went through memory is read and written
  /// `passes` times less.
  void draw(Operation *op, Operation *product, StringRef what, int64_t passes) {
    int64_t bytes = bytesOf(op->getResult(0));
    reportApplied(op, getArgument(), what, {0, (passes + 1) * bytes}, {0, bytes});
    op->getResult(0).replaceAllUsesWith(product->getResult(0));
    erased.insert(op);
    op->erase();
  }

  void fuse(ActivateOp op) {
    Operation *product = op.getInput().getDefiningOp();
    if (!isa_and_present<LinearOp, SegmentLinearOp>(product))
      return decline(op, "its input is not a product");
    if (op.getActivation() != Activation::relu)
      return decline(op, stringifyActivation(op.getActivation()) + " is no epilogue of a product; only relu is");
    if (!op.getInput().hasOneUse())
      return decline(op, "the layer's value in front of relu is read elsewhere");
    llvm::TypeSwitch<Operation *>(product).Case<LinearOp, SegmentLinearOp>([](auto layer) { layer.setRelu(true); });
    draw(op, product, "relu in the layer's product", 2);
  }

  void fuse(ActivateGradOp op) {
    if (auto slice = op.getGradient().getDefiningOp<SliceRowsOp>())
      if (auto stacked = slice.getInput().getDefiningOp<MatmulOp>())
        if (StackOp outputs = stackOfOutputs(stacked))
          return gateStack(stacked, outputs);
    auto product = op.getGradient().getDefiningOp<MatmulOp>();
    if (!product || product.getGate() || product.getOnto())
      return decline(op, "its gradient is not a product");
    if (op.getActivation() != Activation::relu)
      return decline(op, stringifyActivation(op.getActivation()) + "'s derivative is no epilogue of a product");
    if (!op.getGradient().hasOneUse())
      return decline(op, "the gradient behind relu is read elsewhere");
    if (Operation *saved = op.getSaved().getDefiningOp(); saved && !saved->isBeforeInBlock(product))
      return decline(op, "relu's value comes after the gradient");
    product.getGateMutable().assign(op.getSaved());
    draw(op, product, "relu's derivative in the gradient's product", 2);
  }

  /// The stack of what ReLUs gave, if the rows of `product` are its gradients and nothing else reads them.
  static StackOp stackOfOutputs(MatmulOp product) {
    if (product.getGate() || product.getOnto())
      return {};
    StackOp stack;
    for (Operation *user : product->getUsers()) {
      auto slice = dyn_cast<SliceRowsOp>(user);
      auto back = slice && slice->hasOneUse() ? dyn_cast<ActivateGradOp>(*slice->user_begin()) : ActivateGradOp();
      if (!back || back.getActivation() != Activation::relu || back.getGradient() != slice.getResult())
        return {};
      StackOp found;
      for (Operation *reader : back.getSaved().getUsers())
        if (auto other = dyn_cast<StackOp>(reader);
            other && other.getType() == product.getType() && holds(other, back.getSaved(), slice.getFrom()))
          found = other;
      if (!found || (stack && stack != found) || !found->isBeforeInBlock(product))
        return {};
      stack = found;
    }
    return stack;
  }

  /// Whether `value` is in a stack from row `row` on.
  static bool holds(StackOp stack, Value value, uint64_t row) {
    uint64_t from = 0;
    for (Value part : stack.getInputs()) {
      if (part == value && from == row)
        return true;
      from += mostRows(part.getType());
    }
    return false;
  }

  void gateStack(MatmulOp product, StackOp outputs) {
    product.getGateMutable().assign(outputs.getResult());
    for (Operation *slice : llvm::to_vector(product->getUsers()))
      draw(*slice->user_begin(), slice, "relu's derivative in the gradient's product, for all rows of a stack", 2);
  }

  void fuse(AddOp op) {
    // The later product is added to whatever the other summand is.
    for (auto [value, other] : {std::pair(op.getLhs(), op.getRhs()), std::pair(op.getRhs(), op.getLhs())}) {
      Operation *product = value.getDefiningOp(), *first = other.getDefiningOp();
      if (!isFree(product) || (first && !first->isBeforeInBlock(product)))
        continue;
      llvm::TypeSwitch<Operation *>(product).Case<MatmulOp, SegmentWeightGradOp>(
          [&, onto = other](auto typed) { typed.getOntoMutable().assign(onto); });
      return draw(op, product, "added by the second product", 1);
    }
    decline(op, "neither summand is a product that nothing else reads");
  }

  llvm::DenseSet<Operation *> erased;

  static bool isFree(Operation *product) {
    if (!product || !product->getResult(0).hasOneUse())
      return false;
    if (auto matmul = dyn_cast<MatmulOp>(product))
      return !matmul.getGate() && !matmul.getOnto();
    auto gradient = dyn_cast<SegmentWeightGradOp>(product);
    return gradient && !gradient.getOnto();
  }
};

} // namespace
} // namespace tower
