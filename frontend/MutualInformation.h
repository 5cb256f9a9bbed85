// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Mutual information of categorical features, which correlated masking compares (paper, section 4.2).
#ifndef TOWERC_FRONTEND_MUTUALINFORMATION_H
#define TOWERC_FRONTEND_MUTUALINFORMATION_H

#include <cstdint>
#include <string>
#include <vector>

namespace tower {

/// A feature as lists of values: row r has values[offsets[r] .. offsets[r + 1]), each with weight 1 / their number. No
/// list is empty: "missing" is a value.
struct DiscreteFeature {
  std::string name;
  std::vector<int32_t> values;  ///< in [0, numValues)
  std::vector<int64_t> offsets; ///< rows + 1
  int32_t numValues = 0;

  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

/// One value a row.
DiscreteFeature singleFeature(std::string name, std::vector<int32_t> ids, int32_t numValues);
/// An empty list becomes the list of value 0.
DiscreteFeature multiFeature(std::string name, const std::vector<int32_t> &values, const std::vector<int64_t> &offsets,
                             int32_t numValues);
/// Deciles of numbers [rows, width]: a number's value is floor(10 L / rows), L of the rows' numbers being less, so ties
/// share the lower bin. With width > 1 a row has a value for each component.
DiscreteFeature denseFeature(std::string name, const std::vector<float> &numbers, int64_t width);

/// k x k, symmetric, in nats. The diagonal holds a feature's entropy.
using MiMatrix = std::vector<std::vector<double>>;
struct MutualInformation {
  MiMatrix plugin;    ///< I(X; Y) = H(X) + H(Y) - H(X, Y) of the empirical distribution
  MiMatrix shuffled;  ///< the mean of the same over 5 shuffles of one side's rows: what chance alone gives; diagonal 0
  MiMatrix corrected; ///< plugin - shuffled
};
inline constexpr int numShuffles = 5;

/// All features have the same number of rows. `threads` does not change the result.
MutualInformation mutualInformation(const std::vector<DiscreteFeature> &features, int threads);

/// A permutation of 0 .. rows - 1: Fisher-Yates from the last element down, element i against the high 64 bits of
/// w x (i + 1), w the next output of std::mt19937_64(seed).
std::vector<int32_t> shuffledRows(int64_t rows, uint64_t seed);

/// The mask of seed feature s: s and the floor(k / 2) features of highest information with it, ties by lower index.
std::vector<int> correlatedMask(const MiMatrix &matrix, int seed);

} // namespace tower

#endif // TOWERC_FRONTEND_MUTUALINFORMATION_H
