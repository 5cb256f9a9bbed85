// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loss and its gradients from one set of scores. Apart they cost four products of B x B x d: the scores, the scores
// once more, and one for each side; together three, and one exponential of each score instead of two.
#include "dialect/Tower.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Passes.h"
#include "passes/StepWork.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_FUSELOSSES
#include "passes/Passes.h.inc"

namespace {

struct FuseLosses : impl::FuseLossesBase<FuseLosses> {
  void runOnOperation() override {
    SmallVector<InBatchSoftmaxOp> losses;
    getOperation()->walk([&](InBatchSoftmaxOp loss) { losses.push_back(loss); });
    for (InBatchSoftmaxOp loss : losses)
      fuse(loss);
    getOperation()->walk([&](SpreadOutOp loss) {
      reportDeclined(loss, getArgument(), "only a softmax is computed together with its gradients");
    });
  }

  void fuse(InBatchSoftmaxOp loss) {
    if (!loss.getLse().hasOneUse())
      return reportDeclined(loss, getArgument(), "nothing asks for its gradient");
    auto grad = dyn_cast<InBatchSoftmaxGradOp>(*loss.getLse().user_begin());
    if (!grad || !llvm::equal(loss.getOperands(), grad.getOperands().drop_front(2)))
      return reportDeclined(loss, getArgument(), "its gradient is of another loss");
    IRRewriter rewriter(&getContext());
    if (failed(moveValueDefinitions(rewriter, grad.getGradient(), loss)))
      return reportDeclined(loss, getArgument(), "the scale of its gradient depends on its value");
    Work before{workOf(loss).operations + workOf(grad).operations, 0};
    rewriter.setInsertionPoint(loss);
    auto both = InBatchSoftmaxWithGradOp::create(
        rewriter, loss.getLoc(), loss.getLoss().getType(), loss.getQuery().getType(), loss.getItem().getType(),
        grad.getGradient(), loss.getQuery(), loss.getItem(), loss.getIds(), loss.getLogQ(), loss.getWeights(),
        loss.getQueryIds(), loss.getPositives(), loss.getCounts(), loss.getQueryRows(), loss.getTemperatureAttr());
    rewriter.replaceOp(grad, ValueRange{both.getQueryGradient(), both.getItemGradient()});
    rewriter.replaceAllUsesWith(loss.getLoss(), both.getLoss());
    rewriter.eraseOp(loss);
    reportApplied(both, getArgument(), "computes its scores once for loss and gradients", before,
                  {workOf(both).operations, 0});
  }
};

} // namespace
} // namespace tower
