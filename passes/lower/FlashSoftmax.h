// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The in-batch softmax with its gradients on a GPU, without scores in memory.
#ifndef TOWER_PASSES_LOWER_FLASHSOFTMAX_H
#define TOWER_PASSES_LOWER_FLASHSOFTMAX_H

#include "passes/lower/Softmax.h"

namespace tower::lower {

/// Whether rows of queries and items are short enough to be swept.
bool isSwept(Lowering &b, Value query);

/// Queries' and items' gradients, times `scale`; returns each pair's term of the loss, w_i (log Z_i - s_i).
Value sweepSoftmax(Lowering &b, Softmax &softmax, Value scale, Value dq, Value dx);

} // namespace tower::lower

#endif
