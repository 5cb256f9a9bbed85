// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scores of all rows of one matrix against all of another, a block of rows at a time in scratch that stays near the
// core: all scores at once never exist.
#ifndef TOWER_PASSES_LOWER_BLOCKS_H
#define TOWER_PASSES_LOWER_BLOCKS_H

#include "passes/lower/Lower.h"

namespace tower::lower {

/// A block of rows: the first one's number, how many, and their scores in scratch.
struct Block {
  Value first;
  mlir::OpFoldResult count;
  Value scores;
};

/// At most so many rows of scores are in memory at a time.
int64_t mostBlockRows(int64_t columns);

/// For each block of rows of `left`, which has at most `rows`: the scores left right^T. `right` has at most `columns`.
void forBlocks(Lowering &b, Value left, int64_t rows, Value right, int64_t columns,
               llvm::function_ref<void(const Block &)> body);

/// For each row of a block: its number in the block and in all.
void forRows(Lowering &b, const Block &block, int64_t cost, llvm::function_ref<void(Value local, Value row)> body);

} // namespace tower::lower

#endif
