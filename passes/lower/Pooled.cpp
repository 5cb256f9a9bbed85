// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Value dropout and pooling. The random numbers are Philox4x32-10 as docs/Manifest.md says, generated in place.
#include "passes/lower/Pooled.h"
#include "runtime/Philox.h"

#include <cmath>

using namespace mlir;

namespace tower::lower {
namespace {

constexpr StringLiteral kPhilox = "tower_philox";

/// @tower_philox(key, counter) -> w0, a private function that LLVM inlines.
func::FuncOp philoxFunction(Lowering &b) {
  ModuleOp module = b.module();
  if (auto known = module.lookupSymbol<func::FuncOp>(kPhilox))
    return known;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  Type word = b.getI32Type();
  auto function = func::FuncOp::create(b, kPhilox, FunctionType::get(b.getContext(), SmallVector<Type>(6, word), word));
  function.setPrivate();
  b.setInsertionPointToStart(function.addEntryBlock());
  SmallVector<Value> key(function.getArguments().take_front(2)), c(function.getArguments().drop_front(2));
  Value multiplier0 = b.integer(static_cast<int32_t>(0xD2511F53u), 32);
  Value multiplier1 = b.integer(static_cast<int32_t>(0xCD9E8D57u), 32);
  Value weyl0 = b.integer(static_cast<int32_t>(0x9E3779B9u), 32),
        weyl1 = b.integer(static_cast<int32_t>(0xBB67AE85u), 32);
  auto exclusiveOr = [&](Value x, Value y, Value z) -> Value {
    return arith::XOrIOp::create(b, arith::XOrIOp::create(b, x, y), z);
  };
  for (int round = 0; round < 10; ++round) {
    auto p0 = arith::MulUIExtendedOp::create(b, multiplier0, c[0]);
    auto p1 = arith::MulUIExtendedOp::create(b, multiplier1, c[2]);
    c = {exclusiveOr(p1.getHigh(), c[1], key[0]), p1.getLow(), exclusiveOr(p0.getHigh(), c[3], key[1]), p0.getLow()};
    key = {b.add(key[0], weyl0), b.add(key[1], weyl1)};
  }
  func::ReturnOp::create(b, c[0]);
  return function;
}

} // namespace

void PooledValues::prepareDropout(Value step, Value seedMemory, StringRef stream, float rate) {
  Type word = b.getI32Type();
  Value step64 = b.scalar(step);
  seed = arith::TruncIOp::create(b, word, b.scalar(seedMemory));
  streamKey = b.integer(static_cast<int32_t>(rt::fnv1a32(stream)), 32);
  stepLow = arith::TruncIOp::create(b, word, step64);
  stepHigh = arith::TruncIOp::create(b, word, Value(arith::ShRUIOp::create(b, step64, b.integer(32, 64))));
  threshold = b.integer(std::llround(std::ldexp(static_cast<double>(rate), 32)), 64);
}

std::pair<Value, Value> PooledValues::range(Value i) {
  Value row = b.toIndex(b.load(rows, i));
  Value first = b.toIndex(b.load(offsets, row)), end = b.toIndex(b.load(offsets, b.add(row, b.index(1))));
  return {first, b.sub(end, first)};
}

Value PooledValues::survives(Value i, Value j) {
  auto word = func::CallOp::create(b, philoxFunction(b),
                                   ValueRange{seed, streamKey, stepLow, stepHigh, b.toI32(i), b.toI32(j)});
  // A rate close to 1 rounds to 2^32: compared in 64 bits.
  Value wide = arith::ExtUIOp::create(b, b.getI64Type(), word.getResult(0));
  return b.compare(arith::CmpIPredicate::uge, wide, threshold);
}

Value PooledValues::coefficient(Value count) {
  if (pooling == Pooling::sum)
    return {};
  Value number = b.toF32(b.max(count, b.index(1)));
  return b.div(b.f32(1), pooling == Pooling::mean ? number : b.sqrt(number));
}

} // namespace tower::lower
