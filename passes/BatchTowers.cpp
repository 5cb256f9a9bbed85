// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Layers of one weight over several inputs are one layer over their rows, one below the other: the views of an item, or
// the items of several losses. A weight is then read and packed once, and its gradient is one product, not a sum of
// several. Rows are computed where the stack wants them, so that nothing is copied. First layers, whose inputs are
// lookups and whose masks differ from view to view, are not stacked.
#include "dialect/Tower.h"
#include "mlir/Analysis/TopologicalSortUtils.h"
#include "passes/Decision.h"
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_BATCHTOWERS
#include "passes/Passes.h.inc"

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// What follows elementwise or row by row on each of `values` alike, if something does: the ops.
SmallVector<Operation *> commonNext(ArrayRef<Value> values) {
  SmallVector<Operation *> next;
  for (Value value : values) {
    if (!value.hasOneUse())
      return {};
    Operation *user = *value.user_begin();
    auto activate = dyn_cast<ActivateOp>(user);
    if (!activate && !isa<NormalizeOp>(user))
      return {};
    if (!next.empty() && (next[0]->getName() != user->getName() ||
                          (activate && cast<ActivateOp>(next[0]).getActivation() != activate.getActivation())))
      return {};
    next.push_back(user);
  }
  return next;
}

/// Whether some layer's input comes from another one of them.
bool feedEachOther(ArrayRef<LinearOp> layers) {
  llvm::DenseSet<Operation *> visited;
  SmallVector<Value> open;
  for (LinearOp layer : layers)
    open.push_back(layer.getInput());
  while (!open.empty())
    if (Operation *op = open.pop_back_val().getDefiningOp(); op && visited.insert(op).second)
      llvm::append_range(open, op->getOperands());
  return llvm::any_of(layers, [&](LinearOp layer) { return visited.contains(layer); });
}

/// The stack of `parts`, or what they are all parts of.
Value stackOf(OpBuilder &builder, Location loc, RankedTensorType type, ArrayRef<Value> parts) {
  if (auto unstack = parts[0].getDefiningOp<UnstackOp>(); unstack && unstack.getParts() == ValueRange(parts))
    return unstack.getInput();
  return StackOp::create(builder, loc, type, parts);
}

struct BatchTowers : impl::BatchTowersBase<BatchTowers> {
  void runOnOperation() override {
    // Layer by layer: those behind a stacked one have new inputs.
    SmallVector<LinearOp> layers;
    getOperation()->walk([&](LinearOp layer) { layers.push_back(layer); });
    llvm::MapVector<std::pair<Value, Value>, SmallVector<LinearOp>> applications;
    for (LinearOp layer : layers) {
      if (boundOf(layer.getResult().getType()))
        reportDeclined(layer, getArgument(), "the number of its rows is known when the step runs");
      else
        applications[{layer.getWeight(), layer.getBias()}].push_back(layer);
    }
    for (auto &[weight, ops] : applications) {
      if (ops.size() == 1)
        reportDeclined(ops[0], getArgument(), "its weight has no other application");
      else if (feedEachOther(ops))
        reportDeclined(ops[0], getArgument(), "one application of its weight feeds another");
      else
        batch(ops);
    }
  }

  void batch(ArrayRef<LinearOp> layers) {
    LinearOp first = layers.front();
    int64_t inner = typeOf(first.getWeight()).getDimSize(0), width = typeOf(first.getWeight()).getDimSize(1);
    OpBuilder builder(layers.back());
    Location loc = first.getLoc();
    int64_t rows = 0;
    SmallVector<Value> inputs, values;
    for (LinearOp layer : layers) {
      rows += typeOf(layer.getInput()).getDimSize(0);
      inputs.push_back(layer.getInput());
      values.push_back(layer.getResult());
    }
    auto type = [&](int64_t columns) { return RankedTensorType::get({rows, columns}, builder.getF32Type()); };
    Value input = stackOf(builder, loc, type(inner), inputs);
    Value all = LinearOp::create(builder, loc, type(width), input, first.getWeight(), first.getBias(), first.getRelu());
    SmallVector<Operation *> replaced(layers.begin(), layers.end());
    for (SmallVector<Operation *> next = commonNext(values); !next.empty(); next = commonNext(values)) {
      Operation *one = builder.clone(*next[0]);
      one->setOperands(all);
      all = one->getResult(0);
      all.setType(type(width));
      values.clear();
      for (Operation *op : next)
        values.push_back(op->getResult(0));
      llvm::append_range(replaced, next);
    }
    auto parts = UnstackOp::create(builder, loc, TypeRange(ValueRange(values)), all);
    for (auto [value, part] : llvm::zip(values, parts.getParts()))
      value.replaceAllUsesWith(part);
    // The weight is packed once for each application, forward and back, and its gradients are added.
    auto saved = static_cast<int64_t>((layers.size() - 1) * 8 * inner * width * sizeof(float));
    reportApplied(first, getArgument(), "runs once over " + Twine(layers.size()) + " inputs", {0, saved}, {0, 0});
    for (Operation *op : llvm::reverse(replaced))
      op->erase();
    sortTopologically(parts->getBlock());
  }
};

} // namespace
} // namespace tower
