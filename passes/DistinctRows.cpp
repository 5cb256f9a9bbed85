// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Equal rows have equal embeddings where nothing random is drawn for each row. Feedback follows a power law, so that a
// batch of pairs repeats itself: an encoder runs on the batch's distinct rows, and its embeddings are copied to where
// each row occurs. Back, the gradients of equal rows are summed first. How many rows are distinct is known when the
// step runs; buffers are planned for all of them.
#include "dialect/Tower.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Passes.h"
#include "passes/StepWork.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_DISTINCTROWS
#include "passes/Passes.h.inc"

namespace {

/// Bytes whose transfer takes the time of giving one row its number: a few cache misses.
constexpr int64_t kBytesPerNumber = 256;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// What an encoder does to the rows of a batch, from its lookups to its embeddings.
struct Application {
  Value rows;
  SmallVector<Operation *> ops;
  Value embeddings;
  bool random = false;
  int64_t perRow = 0; ///< Operations of a step for each row, forward and back.
};

/// Nothing if the layer's segments are not all looked up by one value of rows.
std::optional<Application> applicationOf(SegmentLinearOp layer) {
  Application result;
  for (Value segment : layer.getSegments()) {
    Operation *op = segment.getDefiningOp();
    Value rows = op ? llvm::TypeSwitch<Operation *, Value>(op)
                          .Case<LookupOp, PooledLookupOp, DenseOp>([](auto lookup) { return lookup.getRows(); })
                          .Default(Value())
                    : Value();
    if (!rows || (result.rows && rows != result.rows))
      return std::nullopt;
    result.rows = rows;
    if (auto pooled = dyn_cast<PooledLookupOp>(op))
      result.random |= pooled.getDropout().has_value();
    if (!llvm::is_contained(result.ops, op))
      result.ops.push_back(op);
  }
  auto addProduct = [&](Value weight) { result.perRow += 3 * 2 * typeOf(weight).getNumElements(); };
  addProduct(layer.getWeight());
  result.ops.push_back(layer);
  result.embeddings = layer.getResult();
  while (result.embeddings.hasOneUse()) {
    Operation *next = *result.embeddings.user_begin();
    if (auto linear = dyn_cast<LinearOp>(next))
      addProduct(linear.getWeight());
    else if (!isa<ActivateOp, NormalizeOp>(next))
      break;
    result.ops.push_back(next);
    result.embeddings = next->getResult(0);
  }
  return result;
}

struct DistinctRows : impl::DistinctRowsBase<DistinctRows> {
  using DistinctRowsBase::DistinctRowsBase;

  void runOnOperation() override {
    SmallVector<SegmentLinearOp> layers;
    getOperation()->walk([&](SegmentLinearOp layer) { layers.push_back(layer); });
    distinct.clear();
    for (SegmentLinearOp layer : layers)
      decide(layer);
    getOperation()->walk([&](InBatchSoftmaxOp op) { groupRows(op); });
  }

  void decide(SegmentLinearOp layer) {
    if (layer.getOnto())
      return reportDeclined(layer, getArgument(), "something is added to it that has all rows");
    std::optional<Application> found = applicationOf(layer);
    if (!found)
      return reportDeclined(layer, getArgument(), "its segments are not looked up by the same rows");
    Operation *source = found->rows.getDefiningOp();
    if (isa_and_present<SampleUniformOp>(source))
      return reportDeclined(layer, getArgument(), "rows drawn uniformly from the catalogue seldom repeat");
    if (!isa_and_present<TakeOp>(source))
      return reportDeclined(layer, getArgument(), "its rows are not those of pairs");
    if (found->random)
      return reportDeclined(layer, getArgument(), "value dropout makes equal rows differ");
    int64_t rows = typeOf(found->rows).getDimSize(0), dim = typeOf(found->embeddings).getDimSize(1);
    Work before{rows * found->perRow, 0};
    // Embeddings are copied, their gradients summed.
    Work after{static_cast<int64_t>(kTypicalShare * static_cast<double>(before.operations)),
               rows * (4 * dim * static_cast<int64_t>(sizeof(float)) + kBytesPerNumber)};
    if (!always && timeOf(after) >= timeOf(before))
      return reportDeclined(layer, getArgument(), "finding equal rows costs more than the encoder would save");
    reportApplied(layer, getArgument(), "runs on the distinct rows of the batch", before, after);
    rewrite(*found);
  }

  void rewrite(Application &application) {
    DistinctOp numbers = distinctOf(application.rows);
    BoundAttr bound = boundOf(numbers.getDistinct().getType());
    // Behind the original ops, so that all operands are there.
    OpBuilder builder(&getContext());
    builder.setInsertionPointAfterValue(application.embeddings);
    IRMapping mapping;
    mapping.map(application.rows, numbers.getDistinct());
    for (Operation *op : application.ops) {
      Operation *clone = builder.clone(*op, mapping);
      Value result = clone->getResult(0);
      result.setType(
          RankedTensorType::get({ShapedType::kDynamic, typeOf(result).getDimSize(1)}, builder.getF32Type(), bound));
    }
    auto expanded =
        ExpandRowsOp::create(builder, application.embeddings.getLoc(), application.embeddings.getType(),
                             mapping.lookup(application.embeddings), numbers.getDistinct(), numbers.getInverse());
    application.embeddings.replaceAllUsesWith(expanded);
    for (Operation *user : llvm::to_vector(expanded->getUsers()))
      if (auto softmax = dyn_cast<InBatchSoftmaxOp>(user))
        countColumns(softmax, expanded, numbers);
    // What is left of the encoder on all rows; other passes must not take it for work to be done.
    for (Operation *op : llvm::reverse(application.ops))
      if (op->use_empty())
        op->erase();
  }

  /// The softmax's columns become the distinct items, each with how often it was drawn.
  void countColumns(InBatchSoftmaxOp op, ExpandRowsOp expanded, DistinctOp numbers) {
    if (op.getItem() != expanded.getResult() || op.getCounts())
      return;
    auto logQ = op.getLogQ() ? op.getLogQ().getDefiningOp<TakeOp>() : TakeOp();
    if (op.getQueryIds())
      return reportDeclined(op, getArgument(), "positives of one query are told apart by pairs, not by distinct items");
    if ((op.getIds() && op.getIds() != numbers.getRows()) ||
        (op.getLogQ() && (!logQ || logQ.getRows() != numbers.getRows())))
      return reportDeclined(op, getArgument(), "its columns are not the batch's items alone");
    int64_t rows = typeOf(op.getQuery()).getDimSize(0), dim = typeOf(op.getQuery()).getDimSize(1);
    auto some = static_cast<int64_t>(kTypicalShare * static_cast<double>(rows));
    OpBuilder builder(op);
    if (logQ) {
      auto type =
          RankedTensorType::get({ShapedType::kDynamic}, builder.getF32Type(), boundOf(numbers.getDistinct().getType()));
      op.getLogQMutable().assign(
          TakeOp::create(builder, logQ.getLoc(), type, logQ.getColumn(), numbers.getDistinct()).getResult());
    }
    if (op.getIds())
      op.getIdsMutable().assign(numbers.getDistinct());
    op.getItemMutable().assign(expanded.getInput());
    op.getPositivesMutable().assign(numbers.getInverse());
    op.getCountsMutable().assign(numbers.getCounts());
    reportApplied(op, getArgument(), "has the distinct items as columns", {8 * rows * rows * dim, 0},
                  {8 * rows * some * dim, 0});
  }

  /// The softmax's rows become the distinct queries, each with its pairs.
  void groupRows(InBatchSoftmaxOp op) {
    auto expanded = op.getQuery().getDefiningOp<ExpandRowsOp>();
    if (!expanded)
      return;
    if (!op.getCounts())
      return reportDeclined(op, getArgument(), "its rows stay pairs, as its columns do");
    Work before = workOf(op);
    op.getQueryMutable().assign(expanded.getInput());
    op.getQueryRowsMutable().assign(expanded.getInverse());
    reportApplied(op, getArgument(), "has the distinct queries as rows", {4 * before.operations, 0},
                  {4 * workOf(op).operations, 0});
  }

  /// One numbering for all that ask for it.
  DistinctOp distinctOf(Value rows) {
    DistinctOp &op = distinct[rows];
    if (op)
      return op;
    OpBuilder builder(&getContext());
    builder.setInsertionPointAfterValue(rows);
    RankedTensorType type = typeOf(rows);
    auto bound = BoundAttr::get(&getContext(), type.getDimSize(0));
    auto some = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type(), bound);
    return op = DistinctOp::create(builder, rows.getLoc(), some, type, some, rows);
  }

  llvm::DenseMap<Value, DistinctOp> distinct;
};

} // namespace
} // namespace tower
