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

MemRefType flatType(MLIRContext *context) { return MemRefType::get({ShapedType::kDynamic}, Float32Type::get(context)); }

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

  Value load(Value base, Value at, Value mask) {
    if (mask)
      return vector::MaskedLoadOp::create(builder, loc, type, base, at, mask, zero);
    return vector::LoadOp::create(builder, loc, type, base, at);
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
          sum = vector::FMAOp::create(builder, loc, lanes, rowOfB[v], sum);
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
  std::string name = "tower_product_" + std::to_string(kind.rows) + "x" + std::to_string(kind.vectors * tile.lanes) +
                     (kind.transposedA ? "_ta" : "") + (kind.packedB ? "" : "_inplace") +
                     (kind.masked ? "_masked" : "");
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
  SmallVector<Type> types(ValueRange(operands).getTypes());
  func::FuncOp function = getOrCreate(name, types, [&](IndexMath &inner, Block &entry) {
    auto next = entry.getArguments().begin();
    auto take = [&]() -> Value { return *next++; };
    auto takePlace = [&]() {
      Value base = take();
      return Place1D{base, take()};
    };
    Place1D a = takePlace(), b = takePlace(), c = takePlace();
    Index strideC = take(), depth = take();
    Value first = take();
    Index strideA = kind.transposedA ? Index(take()) : Index(kRowStride);
    Index strideB = kind.packedB ? Index(tile.columns()) : Index(take());
    Index columns = kind.masked ? Index(take()) : Index(kind.vectors * tile.lanes);
    KernelCall arguments{kind, a, b, c, strideA, strideB, strideC, depth, columns, first};
    KernelBody(inner, kind, tile, arguments).build();
  });
  func::CallOp::create(math.builder, math.loc, function, operands);
}

void Kernels::transpose(IndexMath &math, Place1D from, Index stride, Index rows, Index depth, Place1D to) {
  OpBuilder &outer = math.builder;
  Type index = outer.getIndexType(), flat = flatType(outer.getContext());
  int64_t lanes = tile.lanes;
  std::string name = "tower_product_transpose_" + std::to_string(lanes);
  func::FuncOp function =
      getOrCreate(name, {flat, index, index, index, index, flat, index}, [&](IndexMath &inner, Block &entry) {
        OpBuilder &builder = inner.builder;
        Location loc = inner.loc;
        auto type = VectorType::get({lanes}, builder.getF32Type());
        Index source = entry.getArgument(1), stride = entry.getArgument(2), rows = entry.getArgument(3),
              depth = entry.getArgument(4), target = entry.getArgument(6);
        Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
        SmallVector<Index> starts;
        Index last = inner.sub(rows, 1);
        for (int64_t j = 0; j < lanes; ++j)
          starts.push_back(inner.add(source, inner.mul(inner.min(j, last), stride)));
        inner.loop(0, depth, lanes, [&](Index k) {
          Value left = inner.materialize(inner.sub(depth, k));
          Value mask =
              vector::CreateMaskOp::create(builder, loc, type.cloneWith(std::nullopt, builder.getI1Type()), left);
          SmallVector<Value> lines;
          for (Index start : starts)
            lines.push_back(vector::MaskedLoadOp::create(builder, loc, type, entry.getArgument(0),
                                                         inner.materialize(inner.add(start, k)), mask, zero));
          // A transposition by halves: exchange the blocks of side d off the diagonal, for d = lanes / 2 ... 1.
          for (int64_t d = lanes / 2; d; d /= 2) {
            SmallVector<int64_t> low, high;
            for (int64_t j = 0; j < lanes; ++j) {
              low.push_back(j & d ? lanes + j - d : j);
              high.push_back(j & d ? lanes + j : j + d);
            }
            for (int64_t j = 0; j < lanes; ++j) {
              if (j & d)
                continue;
              Value x = lines[j], y = lines[j + d];
              lines[j] = vector::ShuffleOp::create(builder, loc, x, y, low);
              lines[j + d] = vector::ShuffleOp::create(builder, loc, x, y, high);
            }
          }
          Index at = inner.add(target, inner.mul(k, tile.columns()));
          for (int64_t j = 0; j < lanes; ++j)
            vector::StoreOp::create(builder, loc, lines[j], entry.getArgument(5),
                                    inner.materialize(inner.add(at, j * tile.columns())));
        });
      });
  SmallVector<Value> operands = {from.base,
                                 math.materialize(from.offset),
                                 math.materialize(stride),
                                 math.materialize(rows),
                                 math.materialize(depth),
                                 to.base,
                                 math.materialize(to.offset)};
  func::CallOp::create(outer, math.loc, function, operands);
}

} // namespace tower::products
