// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The micro-kernel: a tile of C in registers, one fused multiply-add for each vector of it and each k.
#include "passes/products/Kernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/SmallVector.h"
#include <string>

using namespace mlir;

namespace tower::products {
namespace {

/// Steps of k in one round of the loop.
constexpr int64_t kUnroll = 4;

/// Builds the body of one micro-kernel.
class KernelBody {
public:
  KernelBody(IndexMath &math, const KernelKind &kind, Tile tile, const KernelCall &arguments)
      : math(math), builder(math.builder), loc(math.loc), kind(kind), tile(tile), args(arguments),
        type(VectorType::get({tile.lanes}, builder.getF32Type())) {}

  void build() {
    zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    for (int64_t v = 0; kind.masked && v < kind.vectors; ++v) {
      // Signed: a mask of less than no lanes is empty.
      Value left = math.materialize(math.sub(args.columns, v * tile.lanes));
      masks.push_back(
          vector::CreateMaskOp::create(builder, loc, type.cloneWith(std::nullopt, builder.getI1Type()), left));
    }
    Index row = args.c.offset;
    for (int64_t r = 0; r < kind.rows; ++r, row = r < kind.rows ? math.add(row, args.strideC) : row)
      for (int64_t v = 0; v < kind.vectors; ++v)
        tileOfC.push_back(math.materialize(math.add(row, v * tile.lanes)));
    for (Value at : tileOfC)
      memref::PrefetchOp::create(builder, loc, args.c.base, at, /*isWrite=*/true, /*localityHint=*/3,
                                 /*isDataCache=*/true);

    SmallVector<Value> sums = initialSums();
    Index tail = math.rem(args.depth, kUnroll), main = math.sub(args.depth, tail);
    sums = accumulate(0, main, kUnroll, sums);
    sums = accumulate(main, args.depth, 1, sums);
    if (kind.hasEpilogue())
      sums = finish(sums);
    for (auto [i, sum] : llvm::enumerate(sums)) {
      if (kind.masked)
        vector::MaskedStoreOp::create(builder, loc, args.c.base, tileOfC[i], masks[i % kind.vectors], sum);
      else
        vector::StoreOp::create(builder, loc, sum, args.c.base, tileOfC[i]);
    }
  }

private:
  /// Zeros on the first block of k of an overwriting product, else C.
  SmallVector<Value> initialSums() {
    size_t count = tileOfC.size();
    SmallVector<Type> types(count, type);
    auto branch = scf::IfOp::create(builder, loc, types, args.first, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(builder, loc, SmallVector<Value>(count, zero));
    builder.setInsertionPointToStart(branch.elseBlock());
    SmallVector<Value> loaded;
    for (size_t i = 0; i < count; ++i)
      loaded.push_back(load(args.c.base, tileOfC[i], kind.masked ? masks[i % kind.vectors] : Value()));
    scf::YieldOp::create(builder, loc, loaded);
    return branch.getResults();
  }

  /// The epilogue, after the last block of k.
  SmallVector<Value> finish(ArrayRef<Value> sums) {
    SmallVector<Type> types(sums.size(), type);
    auto branch = scf::IfOp::create(builder, loc, types, args.last, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(builder, loc, sums);
    builder.setInsertionPointToStart(branch.thenBlock());
    auto part = [&](Place1D place, Index row, int64_t v) {
      Index at = math.add(place.offset, math.add(row, v * tile.lanes));
      return load(place.base, math.materialize(at), kind.masked ? masks[v] : Value());
    };
    SmallVector<Value> bias, results;
    for (int64_t v = 0; kind.bias && v < kind.vectors; ++v)
      bias.push_back(part(args.bias, 0, v));
    for (auto [i, sum] : llvm::enumerate(sums)) {
      int64_t row = i / kind.vectors, v = i % kind.vectors;
      Value x = sum;
      if (kind.bias)
        x = arith::AddFOp::create(builder, loc, x, bias[v]);
      if (kind.relu)
        x = arith::SelectOp::create(builder, loc, isAbove(zero, x), zero, x);
      if (kind.gate)
        x = arith::SelectOp::create(builder, loc, isAbove(part(args.gate, math.mul(args.strideGate, row), v), zero), x,
                                    zero);
      results.push_back(x);
    }
    scf::YieldOp::create(builder, loc, results);
    return branch.getResults();
  }

  Value isAbove(Value x, Value y) { return arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, x, y); }

  Value load(Value base, Value at, Value mask) {
    if (mask)
      return vector::MaskedLoadOp::create(builder, loc, type, base, at, mask, zero);
    return vector::LoadOp::create(builder, loc, type, base, at);
  }

  /// sum + x y of each word.
  Value multiplyAdd(Value x, Value y, Value sum) {
    if (tile.format != Format::pairs)
      return vector::FMAOp::create(builder, loc, x, y, sum);
    auto pairs = VectorType::get({2 * tile.lanes}, builder.getBF16Type());
    Value operands[] = {sum, vector::BitCastOp::create(builder, loc, pairs, x),
                        vector::BitCastOp::create(builder, loc, pairs, y)};
    auto intrinsic = builder.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512");
    return LLVM::CallIntrinsicOp::create(builder, loc, type, intrinsic, operands).getResult(0);
  }

  /// for (k = low; k < high; k += step) sums += A[:, k .. k + step] B[k .. k + step, :]
  SmallVector<Value> accumulate(Index low, Index high, int64_t step, ArrayRef<Value> sums) {
    auto loop = scf::ForOp::create(builder, loc, math.materialize(low), math.materialize(high), math.materialize(step),
                                   SmallVector<Value>(sums));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> next(loop.getRegionIterArgs());
    Index k = loop.getInductionVar();
    Index strideB = kind.packedB ? Index(tile.columns()) : args.strideB;
    Index fromA = math.add(args.a.offset, kind.transposedA ? math.mul(k, args.strideA) : k);
    Index fromB = math.add(args.b.offset, math.mul(k, strideB));
    // Packed panels have whole vectors in every row: only B in its place needs the mask.
    bool maskB = kind.masked && !kind.packedB;
    for (int64_t step_ = 0; step_ < step; ++step_) {
      SmallVector<Value> rowOfB;
      Index at = math.add(fromB, math.mul(strideB, step_));
      for (int64_t v = 0; v < kind.vectors; ++v)
        rowOfB.push_back(load(args.b.base, math.materialize(math.add(at, v * tile.lanes)), maskB ? masks[v] : Value()));
      Index columnOfA = kind.transposedA ? math.add(fromA, math.mul(args.strideA, step_)) : math.add(fromA, step_);
      for (int64_t r = 0; r < kind.rows; ++r) {
        Value element = memref::LoadOp::create(
            builder, loc, args.a.base, math.materialize(math.add(columnOfA, kind.transposedA ? r : r * kRowStride)));
        Value lanes = vector::BroadcastOp::create(builder, loc, type, element);
        for (int64_t v = 0; v < kind.vectors; ++v) {
          Value &sum = next[r * kind.vectors + v];
          sum = multiplyAdd(lanes, rowOfB[v], sum);
        }
      }
    }
    scf::YieldOp::create(builder, loc, next);
    return loop.getResults();
  }

  IndexMath &math;
  OpBuilder &builder;
  Location loc;
  KernelKind kind;
  Tile tile;
  KernelCall args;
  VectorType type;
  Value zero;
  SmallVector<Value> masks, tileOfC;
};

} // namespace

func::FuncOp Kernels::getOrCreate(StringRef name, ArrayRef<Type> inputs,
                                  function_ref<void(IndexMath &, Block &)> body) {
  if (auto existing = module.lookupSymbol<func::FuncOp>(name))
    return existing;
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Location loc = builder.getUnknownLoc();
  auto function = func::FuncOp::create(builder, loc, name, builder.getFunctionType(inputs, {}));
  function.setPrivate();
  // Inlined, it would lose its registers to its surroundings.
  MLIRContext *context = builder.getContext();
  function->setAttr("passthrough", builder.getStrArrayAttr({"noinline"}));
  function->setAttr("llvm.linkage", LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal));
  builder.setInsertionPointToStart(function.addEntryBlock());
  IndexMath math(builder, loc);
  body(math, function.front());
  func::ReturnOp::create(builder, loc);
  return function;
}

void Kernels::call(IndexMath &math, const KernelCall &call) {
  const KernelKind &kind = call.kind;
  std::string name = "tower_product_" + std::to_string(kind.rows) + "x" + std::to_string(kind.vectors * tile.lanes);
  for (auto [has, part] : {std::pair(tile.format == Format::pairs, "_bf16"), std::pair(kind.transposedA, "_ta"),
                           std::pair(!kind.packedB, "_inplace"), std::pair(kind.masked, "_masked"),
                           std::pair(kind.bias, "_bias"), std::pair(kind.relu, "_relu"), std::pair(kind.gate, "_gate")})
    if (has)
      name += part;
  SmallVector<Value> operands;
  auto pass = [&](Index x) { operands.push_back(math.materialize(x)); };
  auto passPlace = [&](Place1D place) {
    operands.push_back(place.base);
    pass(place.offset);
  };
  passPlace(call.a);
  passPlace(call.b);
  passPlace(call.c);
  pass(call.strideC);
  pass(call.depth);
  operands.push_back(call.first);
  if (kind.transposedA)
    pass(call.strideA);
  if (!kind.packedB)
    pass(call.strideB);
  if (kind.masked)
    pass(call.columns);
  if (kind.hasEpilogue())
    operands.push_back(call.last);
  if (kind.bias)
    passPlace(call.bias);
  if (kind.gate) {
    passPlace(call.gate);
    pass(call.strideGate);
  }
  SmallVector<Type> types(ValueRange(operands).getTypes());
  func::FuncOp function = getOrCreate(name, types, [&](IndexMath &inner, Block &entry) {
    auto next = entry.getArguments().begin();
    auto take = [&]() -> Value { return *next++; };
    auto takePlace = [&]() {
      Value base = take();
      return Place1D{base, take()};
    };
    KernelCall taken{};
    taken.kind = kind;
    taken.a = takePlace();
    taken.b = takePlace();
    taken.c = takePlace();
    taken.strideC = take();
    taken.depth = take();
    taken.first = take();
    taken.strideA = kind.transposedA ? Index(take()) : Index(kRowStride);
    taken.strideB = kind.packedB ? Index(tile.columns()) : Index(take());
    taken.columns = kind.masked ? Index(take()) : Index(kind.vectors * tile.lanes);
    if (kind.hasEpilogue())
      taken.last = take();
    if (kind.bias)
      taken.bias = takePlace();
    if (kind.gate) {
      taken.gate = takePlace();
      taken.strideGate = take();
    }
    KernelBody(inner, kind, tile, taken).build();
  });
  func::CallOp::create(math.builder, math.loc, function, operands);
}

} // namespace tower::products
