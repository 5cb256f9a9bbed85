// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/lower/Walk.h"
#include "passes/lower/ScoreTiles.h"

#include <limits>

using namespace mlir;

namespace tower::lower {

/// The place, or one that no tile has behind the last one.
Value Walk::placeAt(Value at, Value i) {
  Value isThere = b.compare(arith::CmpIPredicate::slt, at, b.load(starts, b.add(i, b.index(1))));
  return b.choose(
      isThere, b.getI32Type(), [&]() -> Values { return {b.load(places, b.toIndex(at))}; },
      [&]() -> Values { return {b.integer(std::numeric_limits<int32_t>::max(), 32)}; })[0];
}

std::pair<Value, Values> Walk::bits(Value i, ValueRange states, Value first) {
  Value from = b.toI32(first), one = b.integer(1, 32);
  Values initial{states[0], states[1], b.integer(0, 32)};
  Values after = b.whileLoop(
      initial,
      [&](ValueRange now) -> Value {
        return b.compare(arith::CmpIPredicate::ult, b.sub(now[1], from), b.integer(kTileColumns, 32));
      },
      [&](ValueRange now) -> Values {
        Value next = b.add(now[0], one), bit = arith::ShLIOp::create(b, one, b.sub(now[1], from));
        return {next, placeAt(next, i), arith::OrIOp::create(b, now[2], bit)};
      });
  return {after[2], {after[0], after[1]}};
}

} // namespace tower::lower
