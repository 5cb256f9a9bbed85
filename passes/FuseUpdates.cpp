// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An optimizer that takes a table's row gradient itself sums the contributions to a row in registers and updates the
// row at once: the sums of all rows never are in memory. Clipping needs the norm of all sums before the first update.
#include "dialect/Tower.h"
#include "passes/Decision.h"
#include "passes/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_FUSEUPDATES
#include "passes/Passes.h.inc"

namespace {

struct FuseUpdates : impl::FuseUpdatesBase<FuseUpdates> {
  void runOnOperation() override {
    getOperation()->walk([&](Operation *op) {
      llvm::TypeSwitch<Operation *>(op).Case<SgdRowsOp, AdagradRowsOp, RowwiseAdagradRowsOp, AdamRowsOp>(
          [&](auto update) { fuse(update); });
    });
  }

  template <class Op> void fuse(Op op) {
    auto sum = op.getRows() ? op.getRows().template getDefiningOp<SumRowsOp>() : SumRowsOp();
    if (!sum)
      return reportDeclined(op, getArgument(), "its rows are not sums of this step");
    if (op.getScale())
      return reportDeclined(op, getArgument(),
                            "clipping needs the norm of all gradients first: rows are summed, then updated");
    if (llvm::any_of(sum->getUsers(), [&](Operation *user) { return user != op; }))
      return reportDeclined(op, getArgument(), "something else reads the summed rows");
    auto type = cast<RankedTensorType>(sum.getValues().getType());
    int64_t bytes = 2 * type.getNumElements() * static_cast<int64_t>(sizeof(float));
    op.getRowsMutable().clear();
    op.getValuesMutable().clear();
    op.getCountMutable().clear();
    op.getGradientMutable().assign(sum.getGradient());
    sum.erase();
    reportApplied(op, getArgument(), "sums rows and updates them at once", {0, bytes}, {0, 0});
  }
};

} // namespace
} // namespace tower
