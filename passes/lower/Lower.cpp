// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A function over tensors becomes one over memory: arguments, results that are not updates, then the ops in order.
#include "passes/lower/Lower.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "passes/Passes.h"
#include "passes/Products.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tower::lower {
namespace {

std::optional<int64_t> updatedArgument(func::FuncOp function, unsigned result) {
  if (auto number = function.getResultAttrOfType<IntegerAttr>(result, kUpdates))
    return number.getInt();
  return std::nullopt;
}

} // namespace

MemRefType memoryType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  Type element = type.getElementType();
  if (element.isInteger(1))
    element = IntegerType::get(tensor.getContext(), 8);
  SmallVector<int64_t> shape(type.getShape());
  if (BoundAttr bound = boundOf(type))
    shape[0] = bound.getRows();
  return MemRefType::get(shape, element);
}

LogicalResult lowerOp(Lowering &lowering, Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<SamplePairsOp, SampleUniformOp, FeatureMaskOp, ComplementOp, TakeOp, PositionsOp, UnstackOp, DistinctOp,
            ExpandRowsOp, SumEqualRowsOp, DenseOp, LookupOp, PooledLookupOp, SegmentLinearOp, ProjectOp, LinearOp,
            ActivateOp, NormalizeOp, StackOp, InBatchSoftmaxOp, InBatchSoftmaxGradOp, InBatchSoftmaxWithGradOp,
            SpreadOutOp, SpreadOutGradOp, WeightedSumOp, OneOp, ScaleOp, AddOp, MatmulOp, ColumnSumOp, SliceRowsOp,
            ActivateGradOp, NormalizeGradOp, SegmentWeightGradOp, SegmentInputGradOp, SegmentDefaultGradOp, SumRowsOp,
            SgdOp, SgdRowsOp, AdagradOp, AdagradRowsOp, RowwiseAdagradRowsOp, AdamOp, AdamRowsOp, SquaredNormOp,
            ClipScaleOp, TopKOp>([&](auto typed) { return lower(lowering, typed); })
      // A row gradient has no memory; tower.sum_rows reads its contributions where they are defined.
      .Case<RowGradientOp, PooledRowGradientOp, MergeRowsOp>([](auto) { return success(); })
      .Case<GradientOp>(
          [](auto typed) { return typed.emitOpError("needs --tower-differentiate before --tower-lower"); })
      .Default([](Operation *other) { return other->emitOpError("has no lowering"); });
}

Lowering::Lowering(func::FuncOp source, Machine machine, int64_t chain)
    : Emitter(source.getLoc(), source, machine), source(source), gpuChain(chain) {}

LogicalResult Lowering::run() {
  if (!source.getBody().hasOneBlock())
    return source.emitOpError("must be one block of ops to be lowered");
  buildSignature();
  places.emplace(source, [&](Value value) { return isResult(value); });
  for (Operation &op : source.getBody().front().without_terminator()) {
    // The op's name goes with its place in the spec, so that a plan of memory can say whose a buffer is.
    setLoc(NameLoc::get(getStringAttr(op.getName().stripDialect()), op.getLoc()));
    carryRowCount(&op);
    if (failed(lowerOp(*this, &op)))
      return failure();
  }
  return finish();
}

void Lowering::buildSignature() {
  Operation *terminator = source.getBody().front().getTerminator();
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  for (auto [i, argument] : llvm::enumerate(source.getArguments())) {
    types.push_back(memoryType(argument.getType()));
    attributes.push_back(source.getArgAttrDict(i));
  }
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    if (updatedArgument(source, i))
      continue;
    types.push_back(memoryType(value.getType()));
    attributes.push_back(source.getResultAttrDict(i));
  }
  target = func::FuncOp::create(*this, source.getName(), FunctionType::get(getContext(), types, {}));
  for (auto [i, dictionary] : llvm::enumerate(attributes))
    if (dictionary)
      target.setArgAttrs(i, dictionary);
  setInsertionPointToStart(target.addEntryBlock());
  for (auto [i, argument] : llvm::enumerate(source.getArguments()))
    buffers[argument] = target.getArgument(i);
  unsigned next = source.getNumArguments();
  for (auto [i, value] : llvm::enumerate(terminator->getOperands()))
    if (!updatedArgument(source, i))
      resultMemory.try_emplace(value, target.getArgument(next++));
}

Value Lowering::stackMemory(StackOp op) {
  if (Value known = buffers.lookup(op.getResult()))
    return known;
  Value memory = define(op.getResult());
  inParts(memory);
  return memory;
}

LogicalResult Lowering::finish() {
  Operation *terminator = source.getBody().front().getTerminator();
  setLoc(terminator->getLoc());
  unsigned next = source.getNumArguments();
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    std::optional<int64_t> updated = updatedArgument(source, i);
    if (updated && (*updated < 0 || *updated >= static_cast<int64_t>(source.getNumArguments()) ||
                    source.getArgument(*updated).getType() != value.getType()))
      return source.emitOpError() << "result " << i << " cannot update argument " << *updated;
    Value place = target.getArgument(updated ? *updated : next++);
    if (memory(value) != place)
      copy(memory(value), place);
  }
  func::ReturnOp::create(*this);
  source.erase();
  return success();
}

// Where some operand's rows are counted, results with a bound have as many.
void Lowering::carryRowCount(Operation *op) {
  for (Value operand : op->getOperands())
    if (Value count = rowCounts.lookup(operand))
      for (Value result : op->getResults())
        if (boundOf(result.getType()))
          rowCounts[result] = count;
}

Value Lowering::rowCount(Value tensor) {
  if (Value count = rowCounts.lookup(tensor))
    return count;
  return index(cast<RankedTensorType>(tensor.getType()).getDimSize(0));
}

Value Lowering::rowsInUse(Value tensor) {
  Value all = memory(tensor), count = rowCounts.lookup(tensor);
  return count ? rowsOf(all, getIndexAttr(0), count) : all;
}

Value Lowering::allocate(ArrayRef<int64_t> shape, Type element) {
  return memref::AllocOp::create(*this, MemRefType::get(shape, element), getI64IntegerAttr(64));
}

Value Lowering::define(Value tensor) {
  Value &place = buffers[tensor];
  if (Value given = resultMemory.lookup(tensor))
    return place = given;
  if (const InPlace::Segment *segment = places->segment(tensor)) {
    unsigned f = segment->number;
    SideBySide &input = sideBySide(*this, segment->input);
    return place =
               columnsOf(input.memory, getAsOpFoldResult(input.columns.from[f]), getIndexAttr(input.columns.widths[f]));
  }
  if (const InPlace::Part *part = places->part(tensor)) {
    placed.insert(tensor);
    int64_t rows = cast<RankedTensorType>(tensor.getType()).getDimSize(0);
    Value memory = rowsOf(stackMemory(part->stack), getIndexAttr(part->firstRow), getIndexAttr(rows));
    return buffers[tensor] = memory;
  }
  MemRefType type = memoryType(tensor.getType());
  return place = allocate(type.getShape(), type.getElementType());
}

Value Lowering::defineOnto(Value tensor, Value onto) {
  if (!onto)
    return define(tensor);
  // Products and lookups own their results; others may be parts or other names of memory that something else reads.
  bool owned = onto.hasOneUse() &&
               isa_and_present<MatmulOp, SegmentWeightGradOp, LookupOp, PooledLookupOp>(onto.getDefiningOp());
  if (owned && !resultMemory.contains(tensor) && !resultMemory.contains(onto)) {
    alias(tensor, memory(onto));
    return memory(onto);
  }
  Value fresh = define(tensor);
  copy(memory(onto), fresh);
  return fresh;
}

bool Lowering::isFinal(Value memory) const {
  while (auto view = memory.getDefiningOp<memref::SubViewOp>())
    memory = view.getSource();
  return !isa<BlockArgument>(memory);
}

FailureOr<Value> Lowering::update(OpResult result, Value old) {
  Operation *op = result.getOwner(), *terminator = op->getBlock()->getTerminator();
  auto argument = dyn_cast<BlockArgument>(old);
  bool inPlace = argument && llvm::any_of(result.getUses(), [&](OpOperand &use) {
                   return use.getOwner() == terminator &&
                          updatedArgument(source, use.getOperandNumber()) == argument.getArgNumber();
                 });
  if (!inPlace) {
    Value fresh = define(result);
    copy(memory(old), fresh);
    return fresh;
  }
  for (OpOperand &use : old.getUses())
    if (op->isBeforeInBlock(use.getOwner()) ||
        (use.getOwner() == op && use.getOperandNumber() != result.getResultNumber())) {
      InFlightDiagnostic error = op->emitOpError() << "updates argument " << argument.getArgNumber()
                                                   << " in place, but its old value is read later";
      error.attachNote(use.getOwner()->getLoc()) << "it is read here";
      return failure();
    }
  alias(result, memory(old));
  return memory(old);
}

void Lowering::product(Value a, bool transposeA, Value b, bool transposeB, Value c, bool accumulate,
                       const Epilogue &epilogue, bool bf16) {
  buildProduct(*this, getLoc(), a, transposeA, b, transposeB, c, accumulate, epilogue, bf16);
}

void Lowering::layerProduct(Value a, bool transposeA, Value b, bool transposeB, Value c, bool accumulate,
                            const Epilogue &epilogue) {
  bool bf16 = getBlock()->getParentOp()->getParentOfType<ModuleOp>()->hasAttr(kBf16Attr);
  bool isPlain = !epilogue.bias && !epilogue.relu && !epilogue.gate;
  if (!isPlain || !splitProduct(a, transposeA, b, transposeB, c, accumulate, bf16))
    product(a, transposeA, b, transposeB, c, accumulate, epilogue, bf16);
}

Value Lowering::total(Value memory, Value count) {
  int64_t most = shapeOf(memory)[0], each = chain() * kWarp;
  auto element = [&](Value i, VectorType type) { return loadVector(type, memory, i); };
  if (!onGpu() || most <= each)
    return count ? fold(count, element) : fold(most, element);
  if (!count)
    count = index(most);
  Value pieces = divideUp(count, each);
  int64_t mostPieces = llvm::divideCeil(most, each);
  bound(pieces, mostPieces);
  Value sums = allocateF32({mostPieces});
  rows(pieces, each, [&](Value piece) {
    Value first = mul(piece, index(each));
    Value sum = fold(min(index(each), sub(count, first)),
                     [&](Value i, VectorType type) { return element(add(first, i), type); });
    store(sum, sums, piece);
  });
  return fold(pieces, [&](Value i, VectorType type) { return loadVector(type, sums, i); });
}

Value Lowering::isMasked(Value mask, int64_t feature) {
  return compare(arith::CmpIPredicate::ne, load(mask, index(feature)), integer(0, 8));
}

void Lowering::callRuntime(func::FuncOp function, ValueRange arguments) {
  func::CallOp::create(*this, function, arguments);
}

void Lowering::fill(Value memory, double value) {
  elementwise({}, memory, 1, [&](ValueRange, VectorType type) { return splat(value, type); });
}

void Lowering::copy(Value from, Value to) {
  auto type = cast<MemRefType>(to.getType());
  if (type.getElementType().isF32() && type.hasStaticShape())
    return elementwise(from, to, 1, [](ValueRange values, VectorType) { return values[0]; });
  // Integers are ids and rows: few, in one dimension or none.
  assert(type.getRank() <= 1 && "matrices of integers are arguments, never copied");
  if (type.getRank() == 0)
    return store(load(from), to);
  auto one = [&](Value i) { store(load(from, i), to, i); };
  if (onGpu())
    return elements(extent(to, 0), 1, one);
  loop(index(0), extent(to, 0), 1, one);
}

void Lowering::elementwise(ValueRange from, Value to, int64_t cost, function_ref<Value(ValueRange, VectorType)> value,
                           Value count) {
  ArrayRef<int64_t> shape = shapeOf(to);
  auto at = [&](ValueRange memories, VectorType type, ValueRange indices) {
    Values loaded;
    for (Value memory : memories)
      loaded.push_back(loadVector(type, memory, indices));
    store(value(loaded, type), to, indices);
  };
  if (shape.empty()) {
    VectorType one = vectorOf(getF32Type(), 1);
    Values loaded;
    for (Value memory : from)
      loaded.push_back(broadcast(load(memory), one));
    store(vector::ExtractOp::create(*this, value(loaded, one), ArrayRef<int64_t>{0}), to);
    return;
  }
  Values all(from);
  all.push_back(to);
  bool counted = count && !getConstantIntValue(count);
  if (shape.size() == 2 && (counted || !llvm::all_of(all, isContiguous))) {
    rows(counted ? count : index(shape[0]), shape[1] * cost, [&](Value row) {
      vectors(shape[1], [&](Value column, VectorType type) { at(from, type, {row, column}); });
    });
    return;
  }
  for (Value &memory : all) {
    auto rank = cast<MemRefType>(memory.getType()).getRank();
    if (rank > 1) {
      SmallVector<ReassociationIndices> together(1, llvm::to_vector(llvm::seq<int64_t>(rank)));
      memory = memref::CollapseShapeOp::create(*this, memory, together);
    }
  }
  to = all.pop_back_val();
  if (onGpu())
    return vectorsInPieces(shapeOf(to)[0], cost, [&](Value i, VectorType type) { at(all, type, i); });
  // Pieces begin at multiples of the vector's length; what does not fill a vector comes last.
  int64_t total = shapeOf(to)[0], whole = total / kLanes;
  if (whole > 0)
    pieces(whole, kLanes * cost, [&](Value begin, Value end) {
      loop(mul(begin, index(kLanes)), mul(end, index(kLanes)), kLanes,
           [&](Value i) { at(all, vectorOf(getF32Type()), i); });
    });
  if (total % kLanes != 0)
    at(all, vectorOf(getF32Type(), total % kLanes), index(whole * kLanes));
}

} // namespace tower::lower
