// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a warp multiplies on tensor cores: fragments of two operands in shared memory, and sums in registers.
//
// A lane is number `place` of four in `group` of eight. Of 16 rows of the left operand it has rows `group` and
// `group + 8`, of 16 columns of the right one the columns 2 group and 2 group + 1 (one for each of two instructions),
// and of their 16 x 16 sums, in the rows that it has of the left operand, the four columns from 4 place on: next to
// each other, so that they are stored at once. In depth it has `place` and `place + 4`. The instruction knows neither
// order; it needs that both operands agree on depth.
#ifndef TOWER_PASSES_GPU_TENSORCORES_H
#define TOWER_PASSES_GPU_TENSORCORES_H

#include "passes/lower/Emitter.h"

namespace tower {

/// A tile of an operand in shared memory: element (row, depth) is at start + row * rowStride + depth * depthStride.
/// Rows are columns of a right operand, of which each 16 are in the order 0, 2, .., 14, 1, 3, .., 15 where depth is the
/// inner dimension: else a column of two instructions would be in one bank.
struct Panel {
  mlir::Value memory, start;
  int64_t rowStride, depthStride;
};

class TensorCores {
public:
  /// f32 operands are multiplied as pairs of tf32, or rounded to bf16.
  TensorCores(lower::Emitter &b, bool bf16);

  /// What a lane has of one operand of an instruction: registers as i32, and of f32 what the first ones leave.
  struct Operand {
    lower::Values registers, rest;
  };

  /// Depths that one operand has.
  int64_t depth() const { return bf16 ? 16 : 8; }
  /// Sums of a lane for 16 rows and 16 columns.
  static constexpr int64_t kSums = 8;

  mlir::Value group() const { return groupOfLane; }
  mlir::Value place() const { return placeInGroup; }

  /// 16 rows from `row` on of a left operand, `depth` deep from there.
  Operand left(const Panel &panel, mlir::Value row, int64_t depth);
  /// 16 columns from `column` on of a right operand, appended for two instructions.
  void right(const Panel &panel, mlir::Value column, int64_t depth, llvm::SmallVectorImpl<Operand> &operands);

  /// sums += left right. Sums of row tile i and column tile j are the four from (i * right.size() + j) * 4 on.
  void multiply(llvm::ArrayRef<Operand> left, llvm::ArrayRef<Operand> right, lower::Values &sums);

  /// Of sums for `columns` tiles of 8 columns, those of row tile `i`, its lower or upper half, and column pair `pair`:
  /// an f32 vector of columns 4 place and the next three.
  mlir::Value sumsOf(mlir::ValueRange sums, int64_t columns, int64_t i, bool upper, int64_t pair);

  /// Of elements in pairs at depths `place` and `place + 4`: for a left operand of tf32 rows `group` and `group + 8` at
  /// the first depth, then at the second one.
  Operand operand(llvm::ArrayRef<mlir::Value> elements);

private:
  mlir::Value bits(mlir::Value number);

  lower::Emitter &b;
  bool bf16;
  mlir::Value groupOfLane, placeInGroup;
};

} // namespace tower

#endif
