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

void waitForCopies(lower::Emitter &b) { NVVM::CpAsyncWaitGroupOp::create(b, b.getI32IntegerAttr(0)); }

} // namespace tower
