// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the segments of a first layer lie in its input.
#ifndef TOWER_PASSES_LOWER_SEGMENTS_H
#define TOWER_PASSES_LOWER_SEGMENTS_H

#include "passes/lower/Emitter.h"
#include "passes/lower/InPlace.h"

namespace tower::lower {

class Lowering;

/// The columns of segments side by side.
struct Columns {
  llvm::SmallVector<int64_t> widths;
  /// Visible segments lie together, masked ones nowhere.
  bool moved = false;
  Values masked;            ///< By segment: an i1; empty without a mask.
  Values from;              ///< By segment: its first column. Of no meaning where it is moved and masked.
  mlir::OpFoldResult total; ///< All columns that are in use.
  int64_t bound = 0;        ///< What that cannot exceed.

  Value isVisible(Lowering &b, size_t segment) const;
};

Columns columnsOf(Lowering &b, ValueRange segments, Value mask, bool skipMasked);

/// A first layer's input in memory, shared by the layer and its weight's gradient.
struct SideBySide {
  Columns columns;
  Value memory; ///< rows x bound
  bool complete = false;
};

/// The input of these segments, perhaps not complete yet: lookups find their place in it.
SideBySide &sideBySide(Lowering &b, const LayerInput &input);

} // namespace tower::lower

#endif
