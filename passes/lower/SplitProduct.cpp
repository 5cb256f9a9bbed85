// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A weight's gradient sums over all rows of a batch and has few elements: on a GPU few tiles, so that most
// multiprocessors would wait. Ranges of the sum become products of their own, and their results are added in order.
#include "passes/lower/Lower.h"

#include <algorithm>

using namespace mlir;

namespace tower::lower {
namespace {

/// The smallest tile's side, and how many tiles there should be: two for each multiprocessor of an A100.
constexpr int64_t kSide = 64, kTilesWanted = 216;

int64_t mostOf(Value memory, int64_t dimension) {
  int64_t size = shapeOf(memory)[dimension];
  return ShapedType::isDynamic(size) ? *sizeLimit(memory, dimension) : size;
}

} // namespace

bool Lowering::splitProduct(Value a, bool transposeA, Value b, bool transposeB, Value c, bool accumulate, bool bf16) {
  if (!onGpu() || !transposeA || transposeB)
    return false;
  int64_t depth = mostOf(a, 0), mostRows = mostOf(c, 0), columns = mostOf(c, 1);
  int64_t tiles = llvm::divideCeil(mostRows, kSide) * llvm::divideCeil(columns, kSide);
  // A tile's pipeline fills in a few of its depths: parts are eight times as deep as a chain.
  int64_t parts = std::min<int64_t>(llvm::divideCeil(kTilesWanted, tiles), depth / (8 * chain()));
  if (parts < 2)
    return false;
  int64_t each = llvm::alignTo(llvm::divideCeil(depth, parts), 16);
  Value count = extent(a, 0);
  bool isStatic = !ShapedType::isDynamic(shapeOf(a)[0]);
  Values sums;
  for (int64_t first = 0; first < depth; first += each) {
    int64_t most = std::min(each, depth - first);
    OpFoldResult size = isStatic ? OpFoldResult(getIndexAttr(most))
                                 : OpFoldResult(max(min(sub(count, index(first)), index(most)), index(0)));
    Value sum = allocateF32({mostRows, columns});
    if (ShapedType::isDynamic(shapeOf(c)[0]))
      sum = rowsOf(sum, getIndexAttr(0), extent(c, 0));
    product(rowsOf(a, getIndexAttr(first), size), true, rowsOf(b, getIndexAttr(first), size), false, sum,
            /*accumulate=*/false, {}, bf16);
    sums.push_back(sum);
  }
  Value rowCount = extent(c, 0);
  bound(rowCount, mostRows);
  rows(rowCount, columns * static_cast<int64_t>(sums.size()), [&](Value row) {
    vectors(columns, [&](Value column, VectorType type) {
      Value sum = accumulate ? loadVector(type, c, {row, column}) : Value();
      for (Value part : sums) {
        Value x = loadVector(type, part, {row, column});
        sum = sum ? add(sum, x) : x;
      }
      store(sum, c, {row, column});
    });
  });
  return true;
}

} // namespace tower::lower
