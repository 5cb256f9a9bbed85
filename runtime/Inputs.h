// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What an entry point reads besides tensors and columns, computed once from the data; and the check that data and model
// belong together.
#ifndef TOWER_RUNTIME_INPUTS_H
#define TOWER_RUNTIME_INPUTS_H

#include "runtime/Buffer.h"
#include "runtime/Manifest.h"

#include <cstdint>

namespace tower::rt {

/// Throws Error, naming the command that compiles the model for this data, unless the data has every column of the
/// manifest with the same kind and width, within the tables' capacities and the longest rows that buffers were planned
/// for.
void checkData(const Manifest &manifest, const Dataset &data);

/// By item row: log(pairs with this item / pairs). An item without a pair is never a column of a loss; it gets the
/// value of one with a single pair, so that all are finite.
Buffer<float> logProbabilities(const Pairs &pairs, int64_t items);

/// features x (features - 1): row s has the other features by falling mutual information with s, equal ones by index.
/// Throws Error if the data has no mutual information or lacks a feature in it.
Buffer<int32_t> miOrder(const MaskInfo &mask, const Dataset &data);

/// The factor of all learning rates at `step` of `totalSteps`: (step + 1) / warmup_steps while below 1, then what the
/// decay says, down to final_fraction at step totalSteps - 1.
float rateFactor(const TrainingInfo &training, int64_t step, int64_t totalSteps);

} // namespace tower::rt
#endif
