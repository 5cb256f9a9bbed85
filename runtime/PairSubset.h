// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A fixed part of the training pairs, for learning curves.
#ifndef TOWER_RUNTIME_PAIRSUBSET_H
#define TOWER_RUNTIME_PAIRSUBSET_H

#include "runtime/Dataset.h"

#include <vector>

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
  std::vector<int32_t> query, item;
  std::vector<float> weight;
  std::vector<double> time;
  Pairs subset;
};

} // namespace tower::rt

#endif // TOWER_RUNTIME_PAIRSUBSET_H
