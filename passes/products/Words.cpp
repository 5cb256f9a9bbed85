// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rounding to bf16, to the nearest and from a tie to the even one.
#include "passes/products/Words.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace tower::products {
namespace {

/// bf16 values as f32, without an instruction for them: half of the last kept bit is added, less one where that is 0.
Value rounded(IndexMath &math, Value numbers) {
  OpBuilder &builder = math.builder;
  Location loc = math.loc;
  auto type = cast<VectorType>(numbers.getType());
  auto bitsType = type.cloneWith(std::nullopt, builder.getI32Type());
  auto constant = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(bitsType, value));
  };
  Value bits = arith::BitcastOp::create(builder, loc, bitsType, numbers);
  Value last =
      arith::AndIOp::create(builder, loc, arith::ShRUIOp::create(builder, loc, bits, constant(16)), constant(1));
  Value half = arith::AddIOp::create(builder, loc, last, constant(0x7fff));
  Value kept = arith::AndIOp::create(builder, loc, arith::AddIOp::create(builder, loc, bits, half),
                                     constant(static_cast<int32_t>(0xffff0000)));
  // The sum may carry what is not a number over to one that is.
  Value isNan = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNO, numbers, numbers);
  return arith::SelectOp::create(builder, loc, isNan, numbers, arith::BitcastOp::create(builder, loc, type, kept));
}

Value asBf16(IndexMath &math, Value numbers) {
  auto type = cast<VectorType>(numbers.getType()).cloneWith(std::nullopt, math.builder.getBF16Type());
  return arith::TruncFOp::create(math.builder, math.loc, type, numbers);
}

} // namespace

Value words(IndexMath &math, Tile tile, Value numbers) {
  switch (tile.format) {
  case Format::f32:
    return numbers;
  case Format::rounded:
    return rounded(math, numbers);
  case Format::pairs:
    return vector::BitCastOp::create(math.builder, math.loc, VectorType::get({tile.lanes}, math.builder.getF32Type()),
                                     asBf16(math, numbers));
  }
  llvm_unreachable("all formats are listed");
}

Value pairWords(IndexMath &math, Tile tile, Value row, Value next) {
  OpBuilder &builder = math.builder;
  auto halves = VectorType::get({tile.lanes}, builder.getI16Type());
  auto whole = VectorType::get({tile.lanes}, builder.getI32Type());
  auto bits = [&](Value numbers) -> Value {
    Value half = arith::BitcastOp::create(builder, math.loc, halves, asBf16(math, numbers));
    return arith::ExtUIOp::create(builder, math.loc, whole, half);
  };
  Value sixteen = arith::ConstantOp::create(builder, math.loc, DenseElementsAttr::get(whole, int32_t(16)));
  Value high = arith::ShLIOp::create(builder, math.loc, bits(next), sixteen);
  Value both = arith::OrIOp::create(builder, math.loc, high, bits(row));
  return arith::BitcastOp::create(builder, math.loc, row.getType(), both);
}

} // namespace tower::products
