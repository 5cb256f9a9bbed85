// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A fixed part of the training pairs, for learning curves.
#ifndef TOWER_RUNTIME_PAIRSUBSET_H
#define TOWER_RUNTIME_PAIRSUBSET_H

#include "runtime/Buffer.h"
#include "runtime/Dataset.h"

namespace tower::rt {

/// Copies of the pairs that were chosen, in their order. Not copied or moved: pairs() points into it.
class PairSubset {
public:
  /// Keeps pair i if the first Philox word of key (seed, stream "fraction"), counter (i low, i high, 0, 0), is below
  /// round(fraction x 2^32): a larger fraction contains a smaller one.
  PairSubset(const Pairs &all, double fraction, uint64_t seed);
  PairSubset(const PairSubset &) = delete;

  const Pairs &pairs() const { return subset; }

private:
  Buffer<int32_t> query, item;
  Buffer<float> weight;
  Buffer<double> time;
  Pairs subset;
};

} // namespace tower::rt

#endif // TOWER_RUNTIME_PAIRSUBSET_H
