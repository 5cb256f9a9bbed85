// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops, pieces and vectors over memrefs.
#include "passes/lower/Emitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "passes/gpu/Alignment.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace mlir;

namespace tower::lower {
namespace {

/// Element operations that one piece should have at least: starting a thread's work costs about a microsecond.
constexpr int64_t kMinPieceWork = int64_t(1) << 14;
/// More pieces than any machine has cores, few enough that their bookkeeping is nothing.
constexpr int64_t kMaxPieces = 64;

constexpr auto kContract = arith::FastMathFlags::contract;

bool isFloat(Value value) { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }

} // namespace

ArrayRef<int64_t> shapeOf(Value memory) { return cast<MemRefType>(memory.getType()).getShape(); }

bool isContiguous(Value memory) { return cast<MemRefType>(memory.getType()).getLayout().isIdentity(); }

// ---- Constants and arithmetic --------------------------------------------------------------------------------------

Value Emitter::index(int64_t value) { return arith::ConstantIndexOp::create(*this, value); }

Value Emitter::integer(int64_t value, unsigned bits) {
  return arith::ConstantOp::create(*this, getIntegerAttr(getIntegerType(bits), value));
}

Value Emitter::f32(double value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(static_cast<float>(value)));
}

Value Emitter::splat(double value, VectorType type) {
  return arith::ConstantOp::create(*this, DenseElementsAttr::get(type, static_cast<float>(value)));
}

Value Emitter::broadcast(Value scalar, VectorType type) { return vector::BroadcastOp::create(*this, type, scalar); }

Value Emitter::toIndex(Value integer) { return arith::IndexCastOp::create(*this, getIndexType(), integer); }

Value Emitter::toI32(Value index) { return arith::IndexCastOp::create(*this, getI32Type(), index); }

Value Emitter::toF32(Value index) {
  Value integer = arith::IndexCastOp::create(*this, getI64Type(), index);
  return arith::SIToFPOp::create(*this, getF32Type(), integer);
}

Value Emitter::add(Value a, Value b) {
  if (isFloat(a))
    return arith::AddFOp::create(*this, a, b, kContract);
  return arith::AddIOp::create(*this, a, b);
}

Value Emitter::sub(Value a, Value b) {
  if (isFloat(a))
    return arith::SubFOp::create(*this, a, b, kContract);
  return arith::SubIOp::create(*this, a, b);
}

Value Emitter::mul(Value a, Value b) {
  if (isFloat(a))
    return arith::MulFOp::create(*this, a, b, kContract);
  return arith::MulIOp::create(*this, a, b);
}

Value Emitter::div(Value a, Value b) {
  if (isFloat(a))
    return arith::DivFOp::create(*this, a, b);
  return arith::DivUIOp::create(*this, a, b);
}

Value Emitter::min(Value a, Value b) {
  if (isFloat(a))
    return select(compare(arith::CmpFPredicate::OLT, a, b), a, b); // one instruction, unlike minnum
  return arith::MinSIOp::create(*this, a, b);
}

Value Emitter::max(Value a, Value b) {
  if (isFloat(a))
    return select(compare(arith::CmpFPredicate::OGT, a, b), a, b);
  return arith::MaxSIOp::create(*this, a, b);
}

Value Emitter::sqrt(Value a) { return math::SqrtOp::create(*this, a); }

Value Emitter::compare(arith::CmpIPredicate predicate, Value a, Value b) {
  return arith::CmpIOp::create(*this, predicate, a, b);
}

Value Emitter::compare(arith::CmpFPredicate predicate, Value a, Value b) {
  return arith::CmpFOp::create(*this, predicate, a, b);
}

Value Emitter::select(Value condition, Value a, Value b) { return arith::SelectOp::create(*this, condition, a, b); }

Value Emitter::reduce(Value vector, bool maximum) {
  auto type = cast<VectorType>(vector.getType());
  if (type.getNumElements() == 1)
    return vector::ExtractOp::create(*this, vector, ArrayRef<int64_t>{0});
  if (maximum)
    return vector::ReductionOp::create(*this, vector::CombiningKind::MAXNUMF, vector);
  // A tree of additions instead of a chain: another order, but one fixed order for a CPU.
  return vector::ReductionOp::create(*this, vector::CombiningKind::ADD, vector, arith::FastMathFlags::reassoc);
}

// ---- Memory --------------------------------------------------------------------------------------------------------

Value Emitter::load(Value memory, ValueRange at) { return memref::LoadOp::create(*this, memory, at); }

void Emitter::store(Value value, Value memory, ValueRange at) {
  if (onGpu() && !alongLanes)
    return storeOnce(value, memory, at);
  if (auto type = dyn_cast<VectorType>(value.getType()))
    vector::StoreOp::create(*this, value, memory, at, /*nontemporal=*/false, alignmentOf(type, memory, at));
  else
    memref::StoreOp::create(*this, value, memory, at);
}

Value Emitter::loadVector(VectorType type, Value memory, ValueRange at) {
  return vector::LoadOp::create(*this, type, memory, at, /*nontemporal=*/false, alignmentOf(type, memory, at));
}

/// For a GPU, which reads and writes a lane's elements at once only where it is told that it may.
llvm::MaybeAlign Emitter::alignmentOf(VectorType type, Value memory, ValueRange at) {
  return onGpu() && type.getNumElements() > 1 ? llvm::MaybeAlign(alignmentAt(memory, at, type.getNumElements()))
                                              : llvm::MaybeAlign();
}

Value Emitter::extent(Value memory, int64_t dimension) {
  int64_t size = shapeOf(memory)[dimension];
  if (!ShapedType::isDynamic(size))
    return index(size);
  return memref::DimOp::create(*this, memory, dimension);
}

Value Emitter::rowsOf(Value matrix, OpFoldResult from, OpFoldResult count) {
  SmallVector<OpFoldResult> offsets{from}, sizes{count}, strides{getIndexAttr(1)};
  for (auto [i, size] : llvm::enumerate(shapeOf(matrix).drop_front())) {
    bool isKnown = !ShapedType::isDynamic(size);
    offsets.push_back(getIndexAttr(0));
    sizes.push_back(isKnown ? OpFoldResult(getIndexAttr(size)) : extent(matrix, static_cast<int64_t>(i) + 1));
    strides.push_back(getIndexAttr(1));
  }
  return memref::SubViewOp::create(*this, matrix, offsets, sizes, strides);
}

Value Emitter::columnsOf(Value matrix, OpFoldResult from, OpFoldResult width) {
  SmallVector<OpFoldResult> offsets{getIndexAttr(0), from}, sizes{getAsOpFoldResult(extent(matrix, 0)), width},
      strides(2, getIndexAttr(1));
  return memref::SubViewOp::create(*this, matrix, offsets, sizes, strides);
}

Value Emitter::pointer(Value memory) {
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(*this, memory);
  Value integer = arith::IndexCastOp::create(*this, getI64Type(), address);
  return LLVM::IntToPtrOp::create(*this, LLVM::LLVMPointerType::get(getContext()), integer);
}

// ---- Control -------------------------------------------------------------------------------------------------------

void Emitter::loop(Value from, Value to, int64_t step, Body body) {
  auto op = scf::ForOp::create(*this, from, to, index(step));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.getBody());
  body(op.getInductionVar());
}

Values Emitter::loop(Value from, Value to, int64_t step, ValueRange initial,
                     function_ref<Values(Value, ValueRange)> body) {
  auto op = scf::ForOp::create(*this, from, to, index(step), initial);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.getBody());
  Values results = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!results.empty()) // else the loop has its yield
    scf::YieldOp::create(*this, results);
  return Values(op.getResults());
}

Values Emitter::whileLoop(ValueRange initial, function_ref<Value(ValueRange)> condition,
                          function_ref<Values(ValueRange)> body) {
  SmallVector<Location> locations(initial.size(), getLoc());
  auto op = scf::WhileOp::create(*this, initial.getTypes(), initial);
  OpBuilder::InsertionGuard guard(*this);
  Block *before = createBlock(&op.getBefore(), {}, initial.getTypes(), locations);
  scf::ConditionOp::create(*this, condition(before->getArguments()), before->getArguments());
  Block *after = createBlock(&op.getAfter(), {}, initial.getTypes(), locations);
  Values results = body(after->getArguments());
  scf::YieldOp::create(*this, results);
  return Values(op.getResults());
}

void Emitter::ifThen(Value condition, function_ref<void()> then, function_ref<void()> otherwise) {
  auto op = scf::IfOp::create(*this, condition, /*withElseRegion=*/static_cast<bool>(otherwise));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.thenBlock());
  then();
  if (otherwise) {
    setInsertionPointToStart(op.elseBlock());
    otherwise();
  }
}

Values Emitter::choose(Value condition, TypeRange types, function_ref<Values()> then,
                       function_ref<Values()> otherwise) {
  auto op = scf::IfOp::create(*this, types, condition, /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.thenBlock());
  scf::YieldOp::create(*this, then());
  setInsertionPointToStart(op.elseBlock());
  scf::YieldOp::create(*this, otherwise());
  return Values(op.getResults());
}

int64_t Emitter::numPieces(int64_t count, int64_t cost) {
  int64_t wanted = std::clamp<int64_t>(count * cost / kMinPieceWork, 1, std::clamp<int64_t>(count, 1, kMaxPieces));
  int64_t chunk = llvm::divideCeil(count, wanted);
  return count == 0 ? 1 : llvm::divideCeil(count, chunk);
}

void Emitter::piecesOf(Value numPieces, Value chunk, Value count, bool exact, function_ref<void(Value, Value)> body) {
  Value zero = index(0), one = index(1);
  auto op = scf::ParallelOp::create(*this, ValueRange{zero}, ValueRange{numPieces}, ValueRange{one});
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.getBody());
  Value begin = mul(op.getInductionVars()[0], chunk), end = add(begin, chunk);
  if (!exact)
    end = min(end, count);
  body(begin, end);
}

void Emitter::pieces(int64_t count, int64_t cost, function_ref<void(Value, Value)> body) {
  int64_t number = numPieces(count, cost);
  if (number == 1)
    return body(index(0), index(count));
  int64_t chunk = llvm::divideCeil(count, number);
  piecesOf(index(number), index(chunk), index(count), count % chunk == 0, body);
}

void Emitter::pieces(Value count, int64_t cost, function_ref<void(Value, Value)> body) {
  if (std::optional<int64_t> known = getConstantIntValue(count))
    return pieces(*known, cost, body);
  Value work = mul(count, index(cost));
  Value number = max(min(div(work, index(kMinPieceWork)), index(kMaxPieces)), index(1));
  // Never more than rows: a piece that begins behind the end would have a negative length.
  number = max(min(number, count), index(1));
  Value chunk = div(add(count, sub(number, index(1))), number);
  Value needed = div(add(count, sub(max(chunk, index(1)), index(1))), max(chunk, index(1)));
  piecesOf(needed, chunk, count, /*exact=*/false, body);
}

void Emitter::rows(int64_t count, int64_t cost, Body body) {
  if (onGpu()) {
    warpPerRow(index(count), body);
    return;
  }
  pieces(count, cost, [&](Value begin, Value end) { loop(begin, end, 1, body); });
}

void Emitter::rows(Value count, int64_t cost, Body body) {
  if (onGpu()) {
    warpPerRow(count, body);
    return;
  }
  pieces(count, cost, [&](Value begin, Value end) { loop(begin, end, 1, body); });
}

void Emitter::elements(Value count, int64_t cost, Body body) {
  if (onGpu())
    return lanePerElement(count, body);
  rows(count, cost, body);
}

// ---- Vectors -------------------------------------------------------------------------------------------------------

void Emitter::vectors(int64_t width, VectorBody body) {
  if (onGpu())
    return lanesOf(index(0), index(width), atOnce(width), body);
  int64_t full = width - width % kLanes;
  if (full == kLanes)
    body(index(0), vectorOf(getF32Type()));
  else if (full > 0)
    loop(index(0), index(full), kLanes, [&](Value column) { body(column, vectorOf(getF32Type())); });
  if (width > full)
    body(index(full), vectorOf(getF32Type(), width - full));
}

void Emitter::vectors(Value from, Value to, VectorBody full, Body scalar) {
  if (onGpu())
    return lanesOf(from, to, 1, full);
  Value length = sub(to, from);
  Value end = add(from, mul(div(length, index(kLanes)), index(kLanes)));
  loop(from, end, kLanes, [&](Value at) { full(at, vectorOf(getF32Type())); });
  loop(end, to, 1, scalar);
}

void Emitter::vectorsInPieces(int64_t width, int64_t cost, VectorBody body) {
  if (onGpu()) {
    int64_t each = width % kVector == 0 ? kVector : 1;
    VectorType type = vectorOf(getF32Type(), each);
    return lanePerElement(index(width / each), [&](Value i) { body(each == 1 ? i : mul(i, index(each)), type); });
  }
  int64_t whole = width / kLanes;
  if (whole > 0)
    rows(whole, cost, [&](Value i) { body(mul(i, index(kLanes)), vectorOf(getF32Type())); });
  if (width % kLanes != 0)
    body(index(whole * kLanes), vectorOf(getF32Type(), width % kLanes));
}

Value Emitter::neutral(VectorType type, bool maximum) {
  return splat(maximum ? -std::numeric_limits<float>::infinity() : 0.0, type);
}

Value Emitter::fold(int64_t width, FoldBody body, bool maximum) {
  if (onGpu())
    return foldOnWarp(index(width), atOnce(width), body, maximum);
  VectorType type = vectorOf(getF32Type());
  int64_t full = width - width % kLanes;
  Value result;
  if (full == kLanes) {
    result = reduce(body(index(0), type), maximum);
  } else if (full > 0) {
    Values sums =
        loop(index(0), index(full), kLanes, neutral(type, maximum),
             [&](Value column, ValueRange sum) -> Values { return {combine(sum[0], body(column, type), maximum)}; });
    result = reduce(sums[0], maximum);
  }
  if (width > full) {
    Value tail = reduce(body(index(full), vectorOf(getF32Type(), width - full)), maximum);
    result = result ? combine(result, tail, maximum) : tail;
  }
  return result;
}

Value Emitter::fold(Value width, FoldBody body, bool maximum) {
  if (onGpu())
    return foldOnWarp(width, 1, body, maximum);
  VectorType type = vectorOf(getF32Type()), one = vectorOf(getF32Type(), 1);
  Value whole = mul(div(width, index(kLanes)), index(kLanes));
  Values sums = loop(index(0), whole, kLanes, neutral(type, maximum), [&](Value column, ValueRange before) -> Values {
    return {combine(before[0], body(column, type), maximum)};
  });
  return loop(whole, width, 1, reduce(sums[0], maximum), [&](Value column, ValueRange before) -> Values {
    return {combine(before[0], reduce(body(column, one), maximum), maximum)};
  })[0];
}

SmallVector<Part> Emitter::parts(Value from, int64_t width) {
  if (onGpu())
    return partsOfLanes(from, width);
  SmallVector<Part> result;
  for (int64_t column = 0; column < width; column += kLanes)
    result.push_back({add(from, index(column)), vectorOf(getF32Type(), std::min(kLanes, width - column)), {}});
  return result;
}

void Emitter::inPart(const Part &part, function_ref<void()> body) {
  if (!part.valid)
    return body();
  bool outside = std::exchange(alongLanes, true);
  ifThen(part.valid, body);
  alongLanes = outside;
  syncWarp();
}

Value Emitter::sumOf(const Part &part, Value elements) {
  if (!onGpu())
    return reduce(elements);
  if (part.valid)
    elements = select(part.valid, elements, splat(0, part.type));
  return acrossLanes(reduce(elements), /*maximum=*/false);
}

} // namespace tower::lower
