// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reverse-mode differentiation: one walk from the loss back to the parameters, over ops that state their own adjoints.

#include "dialect/Tower.h"
#include "passes/Passes.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "passes/Passes.h.inc"
} // namespace tower

using namespace tower;

namespace {

class ReversePass {
public:
  explicit ReversePass(GradientOp request) : request(request), builder(request) {}

  LogicalResult run() {
    findActive();
    accumulate(request.getLoss(), OneOp::create(builder, request.getLoc(), request.getLoss().getType()));
    for (Operation &op : llvm::reverse(llvm::make_range(request->getBlock()->begin(), request->getIterator())))
      if (failed(visit(&op)))
        return failure();
    for (auto [parameter, gradient] : llvm::zip(request.getParameters(), request.getGradients())) {
      Value value = gradients.lookup(parameter);
      if (!value)
        return request.emitOpError() << "the loss does not depend on a parameter of type " << parameter.getType();
      gradient.replaceAllUsesWith(value);
    }
    request.erase();
    return success();
  }

private:
  GradientOp request;
  OpBuilder builder;
  llvm::DenseSet<Value> active;           // Values that depend on a parameter.
  llvm::DenseMap<Value, Value> gradients; // Of the loss, by value.

  void findActive() {
    active.insert(request.getParameters().begin(), request.getParameters().end());
    for (Operation &op : llvm::make_range(request->getBlock()->begin(), request->getIterator()))
      if (llvm::any_of(op.getOperands(), [&](Value operand) { return active.contains(operand); }))
        active.insert(op.result_begin(), op.result_end());
  }

  void accumulate(Value value, Value gradient) {
    Value &sum = gradients[value];
    if (!sum) {
      sum = gradient;
      return;
    }
    Location loc = gradient.getLoc();
    if (isa<RowGradientType>(gradient.getType()))
      sum = MergeRowsOp::create(builder, loc, gradient.getType(), sum, gradient);
    else
      sum = AddOp::create(builder, loc, gradient.getType(), sum, gradient);
  }

  LogicalResult visit(Operation *op) {
    SmallVector<Value> results;
    for (Value result : op->getResults())
      results.push_back(gradients.lookup(result));
    bool reachesLoss = llvm::any_of(results, [](Value gradient) { return static_cast<bool>(gradient); });
    if (!reachesLoss || llvm::none_of(op->getResults(), [&](Value result) { return active.contains(result); }))
      return success();
    auto differentiable = dyn_cast<Differentiable>(op);
    if (!differentiable)
      return op->emitOpError("has no adjoint, but the loss depends on it");
    auto needed = [&](Value operand) { return active.contains(operand); };
    SmallVector<Value> operands = differentiable.adjoint(builder, results, needed);
    for (auto [operand, gradient] : llvm::zip(op->getOperands(), operands))
      if (gradient)
        accumulate(operand, gradient);
    return success();
  }
};

struct Differentiate : tower::impl::DifferentiateBase<Differentiate> {
  void runOnOperation() override {
    SmallVector<GradientOp> requests;
    getOperation()->walk([&](GradientOp op) { requests.push_back(op); });
    for (GradientOp request : requests)
      if (failed(ReversePass(request).run()))
        return signalPassFailure();
  }
};

} // namespace
