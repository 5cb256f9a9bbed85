// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/SharedTile.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "passes/gpu/Alignment.h"

using namespace mlir;

namespace tower {

SharedTile::SharedTile(lower::Emitter &b, Value memory, bool depthIsInner, bool isRight, int64_t rows, int64_t depth,
                       Value mostRows, Value mostDepth)
    : b(b), memory(memory), depthIsInner(depthIsInner), isRight(isRight), rows(rows), depth(depth), mostRows(mostRows),
      mostDepth(mostDepth) {}

void SharedTile::copy(Value row, Value at, Value shared, Value start, Value thread, int64_t threads) {
  int64_t width = rowsAreAligned(memory) ? kVector : 1, inner = depthIsInner ? depth : rows;
  int64_t perLine = inner / width, all = rows * depth / width;
  Panel panel = this->panel(shared, start);
  auto rest = [&](Value count, Value first) { return b.min(b.max(b.sub(count, first), b.index(0)), b.index(width)); };
  for (int64_t first = 0; first < all; first += threads) {
    Value number = b.add(thread, b.index(first));
    Value line = b.div(number, b.index(perLine));
    Value inLine = b.mul(Value(arith::RemUIOp::create(b, number, b.index(perLine))), b.index(width));
    Value r = depthIsInner ? line : inLine, d = depthIsInner ? inLine : line;
    Value fromRow = b.add(row, r), fromDepth = b.add(at, d);
    Value lineIsThere = depthIsInner ? b.compare(arith::CmpIPredicate::slt, fromRow, mostRows)
                                     : b.compare(arith::CmpIPredicate::slt, fromDepth, mostDepth);
    Value count =
        b.select(lineIsThere, depthIsInner ? rest(mostDepth, fromDepth) : rest(mostRows, fromRow), b.index(0));
    if (isRight && depthIsInner) {
      // See Panel: column 2 g + tile of 16 is at 8 tile + g.
      Value in16 = arith::AndIOp::create(b, r, b.index(15));
      Value tile = arith::AndIOp::create(b, r, b.index(1));
      r = b.add(b.sub(r, in16), b.add(b.mul(tile, b.index(8)), Value(arith::ShRUIOp::create(b, in16, b.index(1)))));
    }
    Value to = b.add(start, b.add(b.mul(r, b.index(panel.rowStride)), b.mul(d, b.index(panel.depthStride))));
    auto copy = [&] {
      nvgpu::DeviceAsyncCopyOp::create(b, nvgpu::DeviceAsyncTokenType::get(b.getContext()), shared, ValueRange{to},
                                       memory,
                                       depthIsInner ? ValueRange{fromRow, fromDepth} : ValueRange{fromDepth, fromRow},
                                       b.getIndexAttr(width), count, width == kVector ? b.getUnitAttr() : UnitAttr());
    };
    if (all - first >= threads)
      copy();
    else
      b.ifThen(b.compare(arith::CmpIPredicate::slt, thread, b.index(all - first)), copy);
  }
}

/// What copies of this thread began is in shared memory, for this thread; the block's barrier makes it so for all.
static void waitForCopies(lower::Emitter &b) { NVVM::CpAsyncWaitGroupOp::create(b, b.getI32IntegerAttr(0)); }

lower::Values inTwoHalves(lower::Emitter &b, Value end, int64_t step, int64_t half, ValueRange carried,
                          function_ref<void(Value, Value)> copy,
                          function_ref<lower::Values(Value, Value, ValueRange)> body) {
  Value zero = b.index(0), halves = b.index(half);
  auto begin = [&](Value at, Value start) {
    copy(at, start);
    NVVM::CpAsyncCommitGroupOp::create(b);
  };
  lower::Values state(carried);
  state.push_back(zero);
  begin(zero, zero);
  state = b.loop(zero, end, step, state, [&](Value at, ValueRange before) -> lower::Values {
    Value start = before.back(), other = b.sub(halves, start), next = b.add(at, b.index(step));
    // All have what was copied, and nobody reads the other half any more.
    waitForCopies(b);
    gpu::BarrierOp::create(b);
    b.ifThen(b.compare(arith::CmpIPredicate::slt, next, end), [&] { begin(next, other); });
    lower::Values after = body(at, start, before.drop_back());
    after.push_back(other);
    return after;
  });
  // Of nothing to pass by; and what comes next is copied where others still read.
  waitForCopies(b);
  gpu::BarrierOp::create(b);
  state.pop_back();
  return state;
}

} // namespace tower
