// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What types and traits cannot say: how shapes of operands, results and attributes go together.

#include "dialect/Tower.h"

using namespace mlir;
using namespace tower;

static int64_t rows(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(0); }
static int64_t columns(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }
static Type element(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

// Each check names both sides, so that a message can be understood without the IR at hand.
static LogicalResult same(Operation *op, const char *left, int64_t a, const char *right, int64_t b) {
  if (a == b)
    return success();
  return op->emitOpError() << left << " (" << a << ") must equal " << right << " (" << b << ")";
}

// An optional operand that is added to the result, or gates it.
static LogicalResult sameShape(Operation *op, Value operand, Value result) {
  if (!operand || operand.getType() == result.getType())
    return success();
  return op->emitOpError() << operand.getType() << " does not have the result's shape";
}

static LogicalResult verifyMask(Operation *op, Value mask, std::optional<int64_t> feature) {
  if (static_cast<bool>(mask) != feature.has_value())
    return op->emitOpError("needs both a mask and a feature, or neither");
  if (mask && (*feature < 0 || *feature >= rows(mask)))
    return op->emitOpError() << "feature " << *feature << " is not in a mask of " << rows(mask);
  return success();
}

LogicalResult FeatureMaskOp::verify() {
  int64_t features = rows(getMask());
  if (getOrder() && (rows(getOrder()) != features || columns(getOrder()) != features - 1))
    return emitOpError() << "order must be " << features << "x" << features - 1;
  if (static_cast<int64_t>(getCount()) >= features)
    return emitOpError() << "masks " << getCount() << " of " << features << " features; at least one must stay";
  return success();
}

LogicalResult TakeOp::verify() {
  if (element(getColumn()) != element(getResult()))
    return emitOpError("column and result must have one element type");
  return same(*this, "the number of rows", rows(getRows()), "that of results", rows(getResult()));
}

LogicalResult LookupOp::verify() {
  if (failed(verifyMask(*this, getMask(), getFeature())) ||
      failed(same(*this, "the number of rows", rows(getRows()), "that of results", rows(getResult()))))
    return failure();
  if (failed(sameShape(*this, getOnto(), getResult())))
    return failure();
  return same(*this, "the table's width", columns(getTable()), "the result's", columns(getResult()));
}

template <typename Op> static LogicalResult verifyPooled(Op op) {
  if (failed(verifyMask(op, op.getMask(), op.getFeature())))
    return failure();
  bool drops = op.getDropout().has_value();
  if (drops != op.getStream().has_value() || drops != static_cast<bool>(op.getStep()) ||
      drops != static_cast<bool>(op.getSeed()))
    return op.emitOpError("dropout needs a stream, a step and a seed");
  if (drops && (op.getDropout()->isNegative() || op.getDropout()->convertToFloat() >= 1.0f))
    return op.emitOpError("dropout must be in [0, 1)");
  return success();
}

LogicalResult PooledLookupOp::verify() {
  if (failed(verifyPooled(*this)) || failed(sameShape(*this, getOnto(), getResult())) ||
      failed(same(*this, "the number of rows", rows(getRows()), "that of results", rows(getResult()))))
    return failure();
  return same(*this, "the table's width", columns(getTable()), "the result's", columns(getResult()));
}

LogicalResult DenseOp::verify() {
  bool scaled = getScaling() != Scaling::none;
  if (scaled != static_cast<bool>(getMean()) || scaled != static_cast<bool>(getDeviation()))
    return emitOpError("needs a mean and a deviation unless its scaling is none");
  if (scaled && (rows(getMean()) != columns(getNumbers()) || rows(getDeviation()) != columns(getNumbers())))
    return emitOpError("mean and deviation must be as wide as the numbers");
  if (failed(same(*this, "the number of rows", rows(getRows()), "that of results", rows(getResult()))))
    return failure();
  return same(*this, "the numbers' width", columns(getNumbers()), "the result's", columns(getResult()));
}

// Segments side by side are `width` wide, have `count` rows, and defaults match them one to one under a mask.
static LogicalResult verifySegments(Operation *op, OperandRange segments, Value mask, OperandRange defaults,
                                    int64_t count, int64_t width) {
  int64_t total = 0;
  for (Value segment : segments) {
    if (failed(same(op, "a segment's rows", rows(segment), "the batch", count)))
      return failure();
    total += columns(segment);
  }
  if (failed(same(op, "the segments' widths together", total, "the weight's rows", width)))
    return failure();
  if (!mask)
    return defaults.empty() ? success() : op->emitOpError("default rows need a mask");
  if (failed(same(op, "the mask's features", rows(mask), "the number of segments", segments.size())) ||
      failed(same(op, "the number of default rows", defaults.size(), "the number of segments", segments.size())))
    return failure();
  for (auto [segment, row] : llvm::zip(segments, defaults))
    if (failed(same(op, "a segment's width", columns(segment), "its default row's", rows(row))))
      return failure();
  return success();
}

template <typename Op> static LogicalResult verifySkip(Op op) {
  return op.getSkipMasked() && !op.getMask() ? op.emitOpError("skips masked features, but has no mask") : success();
}

LogicalResult SegmentLinearOp::verify() {
  if (getBias() && failed(same(*this, "the bias's width", rows(getBias()), "the weight's", columns(getWeight()))))
    return failure();
  if (failed(same(*this, "the result's width", columns(getResult()), "the weight's", columns(getWeight()))))
    return failure();
  if (failed(verifySkip(*this)) || failed(sameShape(*this, getOnto(), getResult())))
    return failure();
  return verifySegments(*this, getSegments(), getMask(), getDefaults(), rows(getResult()), rows(getWeight()));
}

LogicalResult SegmentWeightGradOp::verify() {
  if (failed(same(*this, "the result's width", columns(getResult()), "the gradient's", columns(getGradient()))))
    return failure();
  if (static_cast<bool>(getMask()) != static_cast<bool>(getSums()))
    return emitOpError("needs both a mask and the sums of the gradient, or neither");
  if (getSums() && failed(same(*this, "the sums' width", rows(getSums()), "the gradient's", columns(getGradient()))))
    return failure();
  if (failed(verifySkip(*this)) || failed(sameShape(*this, getOnto(), getResult())))
    return failure();
  return verifySegments(*this, getSegments(), getMask(), getDefaults(), rows(getGradient()), rows(getResult()));
}

LogicalResult SegmentInputGradOp::verify() {
  if (failed(verifySkip(*this)))
    return failure();
  int64_t total = 0;
  for (Value segment : getSegments()) {
    if (failed(same(*this, "a segment's rows", rows(segment), "the gradient's", rows(getGradient()))))
      return failure();
    total += columns(segment);
  }
  if (getMask() &&
      failed(same(*this, "the mask's features", rows(getMask()), "the number of segments", getSegments().size())))
    return failure();
  if (failed(same(*this, "the gradient's width", columns(getGradient()), "the weight's", columns(getWeight()))))
    return failure();
  return same(*this, "the segments' widths together", total, "the weight's rows", rows(getWeight()));
}

LogicalResult SegmentDefaultGradOp::verify() {
  int64_t total = 0;
  for (Value row : getDefaults())
    total += rows(row);
  if (failed(same(*this, "the mask's features", rows(getMask()), "the number of default rows", getDefaults().size())) ||
      failed(same(*this, "the sums' width", rows(getSums()), "the weight's", columns(getWeight()))))
    return failure();
  return same(*this, "the default rows' widths together", total, "the weight's rows", rows(getWeight()));
}

LogicalResult ProjectOp::verify() {
  if (failed(same(*this, "the table's width", columns(getTable()), "the weight's rows", rows(getWeight()))) ||
      failed(same(*this, "the result's rows", rows(getResult()), "the table's", rows(getTable()))))
    return failure();
  return same(*this, "the result's width", columns(getResult()), "the weight's", columns(getWeight()));
}

LogicalResult LinearOp::verify() {
  if (failed(same(*this, "the input's width", columns(getInput()), "the weight's rows", rows(getWeight()))) ||
      failed(same(*this, "the result's width", columns(getResult()), "the weight's", columns(getWeight()))) ||
      failed(same(*this, "the result's rows", rows(getResult()), "the input's", rows(getInput()))))
    return failure();
  if (getBias())
    return same(*this, "the bias's width", rows(getBias()), "the weight's", columns(getWeight()));
  return success();
}

LogicalResult StackOp::verify() {
  auto result = cast<RankedTensorType>(getResult().getType());
  if (getInputs().empty())
    return emitOpError("needs an input");
  int64_t total = 0;
  for (Value input : getInputs()) {
    auto type = cast<RankedTensorType>(input.getType());
    if (type.getElementType() != result.getElementType() ||
        type.getShape().drop_front() != result.getShape().drop_front())
      return emitOpError("inputs and result must agree in all but their rows");
    total += type.getDimSize(0);
  }
  return same(*this, "the inputs' rows together", total, "the result's", result.getDimSize(0));
}

LogicalResult DistinctOp::verify() {
  BoundAttr bound = boundOf(getDistinct().getType());
  if (!bound)
    return emitOpError("distinct rows need a #tower.bound");
  return same(*this, "the bound", bound.getRows(), "the number of rows", rows(getRows()));
}

template <typename Op> static LogicalResult verifyExpansion(Op op, Value some, Value all) {
  if (boundOf(some.getType()) != boundOf(op.getDistinct().getType()) || !boundOf(some.getType()))
    return op.emitOpError("needs one #tower.bound of the distinct rows and of what belongs to them");
  if (failed(same(op, "the width of distinct rows", columns(some), "that of all", columns(all))))
    return failure();
  return same(op, "the inverse's extent", rows(op.getInverse()), "the number of rows", rows(all));
}

LogicalResult UnstackOp::verify() {
  int64_t total = 0;
  for (Value part : getParts()) {
    if (failed(same(*this, "a part's width", columns(part), "the input's", columns(getInput()))))
      return failure();
    total += rows(part);
  }
  return same(*this, "the parts' rows together", total, "the input's", rows(getInput()));
}

LogicalResult ExpandRowsOp::verify() { return verifyExpansion(*this, getInput(), getResult()); }
LogicalResult SumEqualRowsOp::verify() { return verifyExpansion(*this, getResult(), getInput()); }

// Columns are distinct items that were counted at run time.
template <typename Op> static int64_t numPairs(Op op) {
  return rows(op.getQueryRows() ? Value(op.getQueryRows()) : Value(op.getQuery()));
}

template <typename Op> static LogicalResult verifyCounts(Op op) {
  if (!op.getPositives() && !op.getCounts()) {
    if (op.getQueryRows())
      return op.emitOpError("query_rows needs positives and counts");
    return success();
  }
  if (!op.getPositives() || !op.getCounts())
    return op.emitOpError("needs both positives and counts, or neither");
  if (op.getQueryIds())
    return op.emitOpError(
        "cannot tell positives of one query apart among distinct columns: query_ids needs columns that "
        "are pairs");
  if (!boundOf(op.getItem().getType()))
    return op.emitOpError("counts are of columns with a #tower.bound");
  for (Value perColumn : {op.getCounts(), op.getIds(), op.getLogQ()})
    if (perColumn && boundOf(perColumn.getType()) != boundOf(op.getItem().getType()))
      return op.emitOpError("counts, ids and log_q need the columns' bound");
  if (op.getQueryRows() && !boundOf(op.getQuery().getType()))
    return op.emitOpError("query_rows are of queries with a #tower.bound");
  return same(op, "the number of positives", rows(op.getPositives()), "that of pairs", numPairs(op));
}

template <typename Op> static LogicalResult verifySoftmax(Op op) {
  int64_t n = numPairs(op), u = rows(op.getItem());
  if (failed(verifyCounts(op)))
    return failure();
  if (n > u && !op.getCounts())
    return op.emitOpError() << "has " << n << " queries but only " << u << " columns; row i's positive is column i";
  if (failed(same(op, "the queries' width", columns(op.getQuery()), "the items'", columns(op.getItem()))))
    return failure();
  if ((op.getIds() && rows(op.getIds()) != u) || (op.getLogQ() && rows(op.getLogQ()) != u))
    return op.emitOpError() << "ids and log_q need an entry for each of " << u << " columns";
  if ((op.getWeights() && rows(op.getWeights()) != n) || (op.getQueryIds() && rows(op.getQueryIds()) != n))
    return op.emitOpError() << "weights and query_ids need an entry for each of " << n << " queries";
  if (!(op.getTemperature().convertToFloat() > 0))
    return op.emitOpError("temperature must be above 0");
  return success();
}

template <typename Op> static LogicalResult verifyLse(Op op) {
  return same(op, "lse's extent", rows(op.getLse()), "the number of pairs", numPairs(op));
}

template <typename Op> static LogicalResult verifyGradients(Op op) {
  if (op.getQueryGradient().getType() != op.getQuery().getType() ||
      op.getItemGradient().getType() != op.getItem().getType())
    return op.emitOpError("gradients must have the types of query and item");
  return success();
}

LogicalResult InBatchSoftmaxOp::verify() { return failed(verifySoftmax(*this)) ? failure() : verifyLse(*this); }

LogicalResult InBatchSoftmaxGradOp::verify() {
  return failed(verifyGradients(*this)) || failed(verifySoftmax(*this)) ? failure() : verifyLse(*this);
}

LogicalResult InBatchSoftmaxWithGradOp::verify() {
  return failed(verifyGradients(*this)) ? failure() : verifySoftmax(*this);
}

LogicalResult WeightedSumOp::verify() {
  return same(*this, "the number of weights", getWeights().size(), "that of losses", getInputs().size());
}

LogicalResult GradientOp::verify() {
  if (failed(
          same(*this, "the number of gradients", getGradients().size(), "that of parameters", getParameters().size())))
    return failure();
  for (auto [parameter, gradient] : llvm::zip(getParameters(), getGradients())) {
    auto type = cast<RankedTensorType>(parameter.getType());
    auto row = dyn_cast<RowGradientType>(gradient.getType());
    bool fits = row ? type.getRank() == 2 && row.getRows() == type.getDimSize(0) && row.getDim() == type.getDimSize(1)
                    : gradient.getType() == type;
    if (!fits)
      return emitOpError() << "gradient " << gradient.getType() << " does not fit parameter " << type;
  }
  return success();
}

LogicalResult TopKOp::verify() {
  return same(*this, "the queries' width", columns(getQueries()), "the catalogue's", columns(getCatalogue()));
}

LogicalResult MatmulOp::verify() {
  int64_t m = getTransposeLhs() ? columns(getLhs()) : rows(getLhs());
  int64_t k = getTransposeLhs() ? rows(getLhs()) : columns(getLhs());
  int64_t inner = getTransposeRhs() ? columns(getRhs()) : rows(getRhs());
  int64_t n = getTransposeRhs() ? rows(getRhs()) : columns(getRhs());
  if (failed(same(*this, "lhs's inner extent", k, "rhs's", inner)) ||
      failed(same(*this, "the result's rows", rows(getResult()), "lhs's", m)) ||
      failed(sameShape(*this, getGate(), getResult())) || failed(sameShape(*this, getOnto(), getResult())))
    return failure();
  return same(*this, "the result's width", columns(getResult()), "rhs's", n);
}

LogicalResult ColumnSumOp::verify() {
  return same(*this, "the result's extent", rows(getResult()), "the input's width", columns(getInput()));
}

LogicalResult SliceRowsOp::verify() {
  if (static_cast<int64_t>(getFrom()) + rows(getResult()) > rows(getInput()))
    return emitOpError() << "rows " << getFrom() << " to " << getFrom() + rows(getResult()) << " are not in "
                         << rows(getInput());
  return same(*this, "the result's width", columns(getResult()), "the input's", columns(getInput()));
}

LogicalResult RowGradientOp::verify() {
  if (failed(verifyMask(*this, getMask(), getFeature())) ||
      failed(same(*this, "the number of rows", rows(getRows()), "the gradient's", rows(getGradient()))))
    return failure();
  return same(*this, "the gradient's width", columns(getGradient()), "the table's", getType().getDim());
}

LogicalResult PooledRowGradientOp::verify() {
  if (failed(verifyPooled(*this)) ||
      failed(same(*this, "the number of rows", rows(getRows()), "the gradient's", rows(getGradient()))))
    return failure();
  return same(*this, "the gradient's width", columns(getGradient()), "the table's", getType().getDim());
}

LogicalResult SumRowsOp::verify() {
  if (boundOf(getRows().getType()) != boundOf(getValues().getType()))
    return emitOpError("rows and values must have one #tower.bound, or neither");
  if (failed(same(*this, "the number of rows", rows(getRows()), "that of values", rows(getValues()))))
    return failure();
  return same(*this, "the values' width", columns(getValues()), "the table's", getGradient().getType().getDim());
}

// An update gives back its parameter and slots, in types of their own.
static LogicalResult verifyUpdate(Operation *op) {
  for (auto [operand, result] : llvm::zip(op->getOperands(), op->getResults()))
    if (operand.getType() != result.getType())
      return op->emitOpError() << "new " << result.getType() << " replaces " << operand.getType();
  return success();
}

template <typename Op> static LogicalResult verifyDenseUpdate(Op op) {
  if (op.getGradient().getType() != op.getParameter().getType())
    return op.emitOpError("gradient and parameter must have one type");
  return verifyUpdate(op);
}

template <typename Op> static LogicalResult verifyRowUpdate(Op op) {
  bool summed = op.getRows() && op.getValues() && op.getCount(), any = op.getRows() || op.getValues() || op.getCount();
  if (summed == static_cast<bool>(op.getGradient()) || summed != any)
    return op.emitOpError("needs summed rows, their values and count, or a row gradient, and not both");
  if (auto gradient = op.getGradient()) {
    auto type = cast<RowGradientType>(gradient.getType());
    if (type.getRows() != rows(op.getParameter()) || type.getDim() != columns(op.getParameter()))
      return op.emitOpError() << type << " is no gradient of " << op.getParameter().getType();
    return verifyUpdate(op);
  }
  if (failed(same(op, "the number of rows", rows(op.getRows()), "that of values", rows(op.getValues()))) ||
      failed(same(op, "the values' width", columns(op.getValues()), "the table's", columns(op.getParameter()))))
    return failure();
  return verifyUpdate(op);
}

LogicalResult SgdOp::verify() { return verifyDenseUpdate(*this); }
LogicalResult AdagradOp::verify() { return verifyDenseUpdate(*this); }
LogicalResult AdamOp::verify() { return verifyDenseUpdate(*this); }
LogicalResult SgdRowsOp::verify() { return verifyRowUpdate(*this); }
LogicalResult AdagradRowsOp::verify() { return verifyRowUpdate(*this); }
LogicalResult RowwiseAdagradRowsOp::verify() { return verifyRowUpdate(*this); }
LogicalResult AdamRowsOp::verify() { return verifyRowUpdate(*this); }
