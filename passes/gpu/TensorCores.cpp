// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A product of f32 numbers from three of tf32, which has 10 of the 23 bits behind the point: x is rounded to tf32, and
// what is left of it, x - tf32(x), has 12 more bits, of which the instruction drops the last. Then
//     x y = tf32(x) tf32(y) + tf32(x) rest(y) + rest(x) tf32(y)
// but for rest(x) rest(y), less than 2^-22 of it. NaN stays NaN, by its rest; infinity becomes NaN.
#include "passes/gpu/TensorCores.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using tower::lower::Values;

namespace tower {

TensorCores::TensorCores(lower::Emitter &b, bool bf16) : b(b), bf16(bf16) {
  groupOfLane = b.div(b.lane(), b.index(4));
  placeInGroup = arith::RemUIOp::create(b, b.lane(), b.index(4));
}

Value TensorCores::bits(Value number) { return arith::BitcastOp::create(b, b.getI32Type(), number); }

TensorCores::Operand TensorCores::operand(ArrayRef<Value> elements) {
  Operand result;
  if (bf16) {
    auto pair = VectorType::get({2}, b.getBF16Type());
    for (size_t i = 0; i < elements.size(); i += 2) {
      Value packed = NVVM::ConvertF32x2ToBF16x2Op::create(b, pair, elements[i + 1], elements[i],
                                                          /*random_bits=*/Value(), NVVM::FPRoundingMode::RN);
      result.registers.push_back(LLVM::BitcastOp::create(b, b.getI32Type(), packed));
    }
    return result;
  }
  for (Value x : elements) {
    Value rounded = arith::AndIOp::create(b, b.add(bits(x), b.integer(0x1000, 32)), b.integer(~0x1fff, 32));
    Value number = arith::BitcastOp::create(b, b.getF32Type(), rounded);
    result.registers.push_back(rounded);
    result.rest.push_back(bits(b.sub(x, number)));
  }
  return result;
}

TensorCores::Operand TensorCores::left(const Panel &panel, Value row, int64_t depth) {
  Value at = b.add(panel.start, b.add(b.mul(b.add(row, group()), b.index(panel.rowStride)),
                                      b.mul(b.add(place(), b.index(depth)), b.index(panel.depthStride))));
  auto element = [&](int64_t down, int64_t deep) {
    return b.load(panel.memory, b.add(at, b.index(down * panel.rowStride + deep * panel.depthStride)));
  };
  if (bf16)
    return operand({element(0, 0), element(0, 4), element(8, 0), element(8, 4), element(0, 8), element(0, 12),
                    element(8, 8), element(8, 12)});
  return operand({element(0, 0), element(8, 0), element(0, 4), element(8, 4)});
}

void TensorCores::right(const Panel &panel, Value column, int64_t depth, SmallVectorImpl<Operand> &operands) {
  bool inOrder = panel.rowStride == 1;
  Value first = b.mul(group(), b.index(inOrder ? 2 : 1));
  Value at = b.add(panel.start, b.add(b.mul(b.add(column, first), b.index(panel.rowStride)),
                                      b.mul(b.add(place(), b.index(depth)), b.index(panel.depthStride))));
  Values elements[2];
  for (int64_t deep = 0; deep < this->depth(); deep += 4) {
    Value element = b.add(at, b.index(deep * panel.depthStride));
    if (inOrder) {
      Value two = vector::LoadOp::create(b, VectorType::get({2}, b.getF32Type()), panel.memory, element,
                                         /*nontemporal=*/false, llvm::MaybeAlign(8));
      for (int64_t tile = 0; tile < 2; ++tile)
        elements[tile].push_back(vector::ExtractOp::create(b, two, tile));
    } else {
      elements[0].push_back(b.load(panel.memory, element));
      elements[1].push_back(b.load(panel.memory, b.add(element, b.index(8 * panel.rowStride))));
    }
  }
  for (const Values &ofTile : elements)
    operands.push_back(operand(ofTile));
}

void TensorCores::multiply(ArrayRef<Operand> left, ArrayRef<Operand> right, Values &sums) {
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(4, b.getF32Type()));
  auto kind = bf16 ? NVVM::MMATypes::bf16 : NVVM::MMATypes::tf32;
  SmallVector<int64_t> shape{16, 8, depth()};
  // Instructions that wait for each other are far apart.
  auto all = [&](Values Operand::*ofLeft, Values Operand::*ofRight) {
    for (auto [i, x] : llvm::enumerate(left))
      for (auto [j, y] : llvm::enumerate(right)) {
        MutableArrayRef<Value> four = MutableArrayRef<Value>(sums).slice((i * right.size() + j) * 4, 4);
        Value product = NVVM::MmaOp::create(b, type, x.*ofLeft, y.*ofRight, ValueRange(four), shape,
                                            /*b1Op=*/std::nullopt, /*intOverflow=*/std::nullopt, std::array{kind, kind},
                                            std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
        for (int64_t e = 0; e < 4; ++e)
          four[e] = LLVM::ExtractValueOp::create(b, product, ArrayRef<int64_t>{e});
      }
  };
  // The small ones first.
  if (!bf16) {
    all(&Operand::rest, &Operand::registers);
    all(&Operand::registers, &Operand::rest);
  }
  all(&Operand::registers, &Operand::registers);
}

Value TensorCores::sumsOf(ValueRange sums, int64_t columns, int64_t i, bool upper, int64_t pair) {
  Values elements;
  for (int64_t e = 0; e < 4; ++e)
    elements.push_back(sums[(i * columns + 2 * pair + e % 2) * 4 + (upper ? 2 : 0) + e / 2]);
  return vector::FromElementsOp::create(b, VectorType::get({4}, b.getF32Type()), elements);
}

} // namespace tower
