// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All rows of one matrix against all of another on a GPU, without their scores in memory: a warp has 16 rows, the
// others pass by in shared memory, 32 at a time, and of each tile of scores the warp makes factors P with which it sums
// the rows that passed, O += P X. Scores, factors and sums are in registers only.
#ifndef TOWER_PASSES_LOWER_SCORETILES_H
#define TOWER_PASSES_LOWER_SCORETILES_H

#include "passes/gpu/TensorCores.h"
#include "passes/lower/Lower.h"

namespace tower::lower {

/// Elements of a row at most: what a warp has of its rows and of their sums must fit into registers.
inline constexpr int64_t kMostSweptWidth = 128;

/// Columns of a tile: one bit each of an i32.
inline constexpr int64_t kTileColumns = 32;

/// What a lane has of a tile of scores: of two rows eight columns each, in the order (pair of columns, row, first or
/// second of the pair).
struct ScoreTile {
  static constexpr int64_t kColumnsOfLane = 8;
  Value first;    ///< The tile's first column.
  Values columns; ///< The lane's, by number; in the last tile some may be behind the last column.
  Values scores;  ///< 16, see at().
  static int64_t at(int64_t row, int64_t column) { return column / 2 * 4 + 2 * row + column % 2; }
};

class ScoreSweep {
public:
  /// `rows` of which there are `rowCount`, never more than `mostRows`, against `columns` of which there are
  /// `columnCount`.
  ScoreSweep(Lowering &b, Value rows, Value rowCount, int64_t mostRows, Value columns, Value columnCount);

  /// What becomes of a tile: factors in place of its scores, the states' new values, and by what the two rows' sums so
  /// far are multiplied first, or nothing.
  struct Step {
    Values factors, states, scales;
  };

  /// Makes the states of a lane's two rows, given their numbers; behind the last row a lane has that one once more.
  std::function<Values(ValueRange rows)> initial;
  std::function<Step(const ScoreTile &tile, ValueRange states)> tile;
  /// Gets the states in the end, of each row once, by one lane: the lane's row 0 or 1 and its number. May be null.
  std::function<void(int64_t which, Value row, ValueRange states)> finish;

  /// Sums go to `sums`, one row for each of the rows.
  void run(Value sums);

  /// The largest, or the sum, over the four lanes that have a row.
  Value acrossRow(Value value, bool maximum);

private:
  Values loadRows(ValueRange rows);
  void score(const Panel &panel, ValueRange fragments, Values &scores);
  void sum(const Panel &panel, ValueRange factors, Values &sums);
  void storeRow(Value to, Value row, int64_t half, ValueRange sums);

  Lowering &b;
  Value rows, rowCount, columns, columnCount;
  int64_t mostRows, width, steps; ///< steps: of 8 elements in a row.
  std::optional<TensorCores> cores;
};

} // namespace tower::lower

#endif
