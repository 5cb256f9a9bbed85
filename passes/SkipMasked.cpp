// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A masked feature is one row for all of the batch, d_f, so that the first layer needs no product for it:
//
//     Y = sum_{f visible} X_f W_f + (b + sum_{f masked} d_f W_f)
//
// and back, dW_f = d_f (x) colsum(dY) for it and X_f^T dY for the others. Of two complementary views each feature is
// visible in one, so both first layers together cost as much as one without a mask, forward and backward.
#include "dialect/Tower.h"
#include "passes/Passes.h"
#include "passes/StepWork.h"

#include <cmath>

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_SKIPMASKED
#include "passes/Passes.h.inc"

namespace {

int64_t rowsOf(Value value) { return mostRows(value.getType()); }
int64_t columnsOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }

struct SkipMasked : impl::SkipMaskedBase<SkipMasked> {
  void runOnOperation() override {
    getOperation()->walk([&](Operation *op) {
      if (auto layer = dyn_cast<SegmentLinearOp>(op))
        decide(layer, layer.getResult(), layer.getWeight());
      else if (auto gradient = dyn_cast<SegmentWeightGradOp>(op))
        decide(gradient, gradient.getGradient(), gradient.getResult());
      else if (auto back = dyn_cast<SegmentInputGradOp>(op))
        decide(back, back.getGradient(), back.getWeight());
    });
  }

  /// A product of `batch` (rows x inner) with `weight` (segments' widths x inner) in one of its three forms.
  template <class Op> void decide(Op op, Value batch, Value weight) {
    if (!op.getMask())
      return reportDeclined(op, getArgument(), "no feature is masked");
    if (readsZeros(op))
      return reportDeclined(op, getArgument(), "the zero gradients of masked features are read");
    int64_t rows = rowsOf(batch), inner = columnsOf(weight), width = rowsOf(weight);
    int64_t visible = std::llround(visibleShare(op.getMask()) * static_cast<double>(width));
    // The visible rows of the weight, or of its gradient, are moved together: read and written. Default rows take one
    // pass over the others.
    int64_t element = sizeof(float) * inner;
    Work before{2 * rows * width * inner, element * width};
    Work after{2 * rows * visible * inner, element * (width + 2 * visible)};
    if (timeOf(after) >= timeOf(before))
      return reportDeclined(op, getArgument(),
                            "moving " + Twine(visible) + " rows of the weight costs more than " +
                                Twine(width - visible) + " columns of " + Twine(rows) + " rows");
    op.setSkipMasked(true);
    reportApplied(op, getArgument(), "multiplies visible features only", before, after);
  }

  /// Generated code has no place for the gradients of features that it skips. Lookups do not read theirs.
  static bool readsZeros(SegmentInputGradOp op) {
    for (auto [f, gradient] : llvm::enumerate(op.getSegments()))
      for (Operation *user : gradient.getUsers()) {
        auto under = [&](auto lookup) { return lookup.getMask() == op.getMask() && *lookup.getFeature() == f; };
        if (auto single = dyn_cast<RowGradientOp>(user); single && under(single))
          continue;
        if (auto pooled = dyn_cast<PooledRowGradientOp>(user); pooled && under(pooled))
          continue;
        return true;
      }
    return false;
  }
  static bool readsZeros(Operation *) { return false; }
};

} // namespace
} // namespace tower
