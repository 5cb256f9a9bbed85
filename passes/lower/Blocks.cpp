// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/lower/Blocks.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;

namespace tower::lower {
namespace {

/// Elements of a block of scores, and its rows: few enough to stay in the last cache, enough that packing the columns
/// for each block is little beside multiplying them.
constexpr int64_t kBlockElements = int64_t(1) << 22;
constexpr int64_t kLeastBlockRows = 64, kMostBlockRows = 256;

/// Scores of a block on a GPU, whose blocks are launches: 256 MiB of them.
constexpr int64_t kGpuBlockElements = int64_t(1) << 26;

/// Rows of a block: a divisor of `rows` if a good one exists, so that all blocks have one static size.
int64_t chooseBlockRows(int64_t rows, int64_t columns, bool onGpu) {
  int64_t limit = onGpu ? std::max(kGpuBlockElements / columns, kMostBlockRows) : mostBlockRows(columns);
  if (rows <= limit)
    return rows;
  for (int64_t size = limit; 2 * size > limit; --size)
    if (rows % size == 0)
      return size;
  return llvm::divideCeil(rows, llvm::divideCeil(rows, limit));
}

/// Elements from one row of scratch to the next: an odd number of cache lines, or a column's lines, which the product
/// with the transposed scores reads one after the other, would all fall in the same few sets of a cache.
int64_t strideOf(int64_t columns) {
  constexpr int64_t line = 64 / sizeof(float);
  return (llvm::divideCeil(columns, line) | 1) * line;
}

} // namespace

int64_t mostBlockRows(int64_t columns) { return std::clamp(kBlockElements / columns, kLeastBlockRows, kMostBlockRows); }

void forBlocks(Lowering &b, Value left, int64_t rows, Value right, int64_t columns,
               function_ref<void(const Block &)> body) {
  int64_t size = chooseBlockRows(rows, columns, b.onGpu());
  bool counted = ShapedType::isDynamic(shapeOf(left)[0]);
  Value scratch = b.columnsOf(b.allocateF32({size, strideOf(columns)}), b.getIndexAttr(0), b.getIndexAttr(columns));
  auto block = [&](Value first, OpFoldResult count) {
    Value scores = isa<Attribute>(count) ? scratch : b.rowsOf(scratch, b.getIndexAttr(0), count);
    if (Value used = b.extent(right, 0); !getConstantIntValue(used))
      scores = b.columnsOf(scores, b.getIndexAttr(0), used);
    b.product(b.rowsOf(left, first, count), false, right, /*transposeB=*/true, scores, /*accumulate=*/false);
    body({first, count, scores});
  };
  if (size == rows && !counted)
    return block(b.index(0), b.getIndexAttr(size));
  // A GPU's launches are known before it counts rows: of blocks behind the end nothing is left.
  Value used = b.extent(left, 0), end = b.onGpu() ? b.index(rows) : used;
  b.loop(b.index(0), end, size, [&](Value first) {
    if (rows % size == 0 && !counted)
      return block(first, b.getIndexAttr(size));
    Value count = b.min(b.sub(used, first), b.index(size));
    block(first, b.onGpu() ? b.max(count, b.index(0)) : count);
  });
}

void forRows(Lowering &b, const Block &block, int64_t cost, function_ref<void(Value local, Value row)> body) {
  b.rows(b.extent(block.scores, 0), cost, [&](Value local) { body(local, b.add(block.first, local)); });
}

} // namespace tower::lower
