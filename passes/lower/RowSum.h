// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums the contributions of all lookups of a table by row, in the order in which they were merged. The cost grows with
// the batch, never with the table.
#ifndef TOWER_PASSES_LOWER_ROWSUM_H
#define TOWER_PASSES_LOWER_ROWSUM_H

#include "passes/lower/RowNumbers.h"

namespace tower::lower {

/// One lookup's share of a row gradient. Positions and entries of all shares are numbered one after the other.
struct Share {
  RowGradientOp single; // one of the two
  PooledRowGradientOp pooled;
  Value gradient; // positions x dim
  int64_t positions = 0, longest = 1;
  int64_t firstPosition = 0, firstEntry = 0;
  Value count; // positions, or 0 where the feature is masked: index
};

/// Some columns of a distinct row's sum, in registers.
struct SummedColumns {
  llvm::SmallVector<Part> parts;
  Values sums;
};

class RowSum {
public:
  /// Columns that are summed in registers at a time.
  static constexpr int64_t kColumns = 8 * kLanes;

  /// Errors are of `op`.
  RowSum(Lowering &b, mlir::Operation *op) : b(b), op(op) {}

  /// Reads what the gradient is made of. Nothing is emitted yet.
  LogicalResult collect(Value gradient);
  /// The most rows that can be distinct.
  int64_t bound() const { return std::min(tableRows, entries); }
  int64_t width() const { return dim; }

  /// Finds the distinct rows and the positions that contribute to each. `rows` [bound] receives the rows.
  void group(Value rows);
  /// How many are distinct: an index.
  Value count() const { return distinct; }
  /// Calls `body` for each distinct row, in parallel, with its number and where its positions begin and end.
  void forRows(int64_t cost, llvm::function_ref<void(Value d, Value begin, Value end)> body);
  /// Calls `body` with the first column and the width of parts of at most kColumns columns.
  void forColumns(llvm::function_ref<void(Value from, int64_t width)> body);
  /// The sums of columns [from, from + width) over positions [begin, end).
  SummedColumns sum(Value begin, Value end, Value from, int64_t width);

private:
  void sumWindows(Value total);
  Value rowAt(Value place);
  Values addPositions(llvm::ArrayRef<Part> parts, ValueRange sums, Value begin, Value end);
  void writeEntries(Share &share);
  void groupOnGpu(Value rows);
  Value positionOf(Value entry);
  Values forEntries(ValueRange state, llvm::function_ref<Values(Value entry, Value position, ValueRange state)> visit);
  Values number(RowNumbers &numbers, Value entry, Value before);
  Value gradientAt(Value position, Value &owner);

  Lowering &b;
  mlir::Operation *op;
  llvm::SmallVector<Share> shares;
  int64_t tableRows = 0, dim = 0, positions = 0, entries = 0;
  bool weighted = false;
  Value rowOfEntry;            // by entry: its row, then its row's number
  Value lengths, coefficients; // by position
  Value ends;                  // by distinct row: how many positions, then where they end
  Value order;                 // positions, those of one row together
  Value distinct;
  Value windows; // on a GPU: sums of `order`'s windows of chain() positions, of those that have one row; or null
};

} // namespace tower::lower

#endif
