// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Joint entropies by grouping: for each value of one feature, the weights of the other feature's values in its rows are
// added up in an array that stays in cache, and only the entries touched are read and cleared. No hashing, one fixed
// order.
#include "frontend/MutualInformation.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <random>
#include <thread>

using namespace tower;

DiscreteFeature tower::singleFeature(std::string name, std::vector<int32_t> ids, int32_t numValues) {
  DiscreteFeature feature{std::move(name), std::move(ids), {}, numValues};
  feature.offsets.resize(feature.values.size() + 1);
  std::iota(feature.offsets.begin(), feature.offsets.end(), 0);
  return feature;
}

DiscreteFeature tower::multiFeature(std::string name, const std::vector<int32_t> &values,
                                    const std::vector<int64_t> &offsets, int32_t numValues) {
  DiscreteFeature feature{std::move(name), {}, {0}, numValues};
  for (size_t row = 0; row + 1 < offsets.size(); ++row) {
    feature.values.insert(feature.values.end(), values.begin() + offsets[row], values.begin() + offsets[row + 1]);
    if (offsets[row] == offsets[row + 1])
      feature.values.push_back(0);
    feature.offsets.push_back(static_cast<int64_t>(feature.values.size()));
  }
  return feature;
}

DiscreteFeature tower::denseFeature(std::string name, const std::vector<float> &numbers, int64_t width) {
  constexpr int64_t bins = 10;
  int64_t rows = static_cast<int64_t>(numbers.size()) / width;
  DiscreteFeature feature{
      std::move(name), std::vector<int32_t>(numbers.size()), {}, static_cast<int32_t>(bins * width)};
  for (int64_t row = 0; row <= rows; ++row)
    feature.offsets.push_back(row * width);
  std::vector<float> sorted(static_cast<size_t>(rows));
  for (int64_t component = 0; component < width; ++component) {
    for (int64_t row = 0; row < rows; ++row)
      sorted[row] = numbers[row * width + component];
    std::sort(sorted.begin(), sorted.end());
    for (int64_t row = 0; row < rows; ++row) {
      float number = numbers[row * width + component];
      int64_t less = std::lower_bound(sorted.begin(), sorted.end(), number) - sorted.begin();
      feature.values[row * width + component] = static_cast<int32_t>(component * bins + bins * less / rows);
    }
  }
  return feature;
}

std::vector<int32_t> tower::shuffledRows(int64_t rows, uint64_t seed) {
  std::vector<int32_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  for (int64_t i = rows - 1; i > 0; --i)
    std::swap(order[i], order[static_cast<size_t>(static_cast<unsigned __int128>(random()) * (i + 1) >> 64)]);
  return order;
}

namespace {

/// A feature with what the sums below need.
struct Indexed {
  const DiscreteFeature *feature;
  std::vector<int64_t> starts; ///< by value: where its rows start in `rows`; numValues + 1
  std::vector<int32_t> rows;   ///< rows by value
  std::vector<double> shares;  ///< by row: 1 / number of values
  double entropy = 0;
};

} // namespace

static double plogp(double p) { return p > 0 ? p * std::log(p) : 0; }

static Indexed indexed(const DiscreteFeature &feature) {
  Indexed index{&feature, std::vector<int64_t>(size_t(feature.numValues) + 1, 0), {}, {}};
  for (int32_t value : feature.values)
    ++index.starts[value + 1];
  std::partial_sum(index.starts.begin(), index.starts.end(), index.starts.begin());
  index.rows.resize(feature.values.size());
  std::vector<int64_t> at(index.starts.begin(), index.starts.end() - 1);
  std::vector<double> mass(static_cast<size_t>(feature.numValues), 0);
  for (int64_t row = 0; row < feature.rows(); ++row) {
    int64_t first = feature.offsets[row], last = feature.offsets[row + 1];
    index.shares.push_back(1.0 / double(last - first));
    for (int64_t i = first; i < last; ++i) {
      index.rows[at[feature.values[i]]++] = static_cast<int32_t>(row);
      mass[feature.values[i]] += index.shares.back();
    }
  }
  for (double each : mass)
    index.entropy -= plogp(each / double(feature.rows()));
  return index;
}

/// H(A, B), where row r of A goes with row order[r] of B. `sums` holds zeros, numValues of B at least, and does so
/// again.
static double jointEntropy(const Indexed &a, const Indexed &b, const int32_t *order, std::vector<double> &sums,
                           std::vector<int32_t> &touched) {
  const int64_t *offsets = b.feature->offsets.data();
  const int32_t *values = b.feature->values.data();
  const double scale = 1.0 / double(a.feature->rows());
  double entropy = 0;
  for (int32_t value = 0; value < a.feature->numValues; ++value) {
    touched.clear();
    for (int64_t i = a.starts[value]; i < a.starts[value + 1]; ++i) {
      int32_t row = a.rows[i], other = order ? order[row] : row;
      double share = a.shares[row] * b.shares[other] * scale;
      for (int64_t k = offsets[other]; k < offsets[other + 1]; ++k) {
        if (sums[values[k]] == 0)
          touched.push_back(values[k]);
        sums[values[k]] += share;
      }
    }
    for (int32_t other : touched) {
      entropy -= plogp(sums[other]);
      sums[other] = 0;
    }
  }
  return entropy;
}

MutualInformation tower::mutualInformation(const std::vector<DiscreteFeature> &features, int threads) {
  const size_t k = features.size();
  std::vector<Indexed> index;
  for (const DiscreteFeature &feature : features)
    index.push_back(indexed(feature));
  std::vector<std::vector<int32_t>> orders;
  for (int shuffle = 0; shuffle < numShuffles && k > 1; ++shuffle)
    orders.push_back(shuffledRows(features[0].rows(), static_cast<uint64_t>(shuffle) + 1));

  struct Task {
    size_t a, b;
    int shuffle; // -1: as the data is
    double information;
  };
  std::vector<Task> tasks;
  for (size_t a = 0; a < k; ++a)
    for (size_t b = a + 1; b < k; ++b)
      for (int shuffle = -1; shuffle < numShuffles; ++shuffle)
        tasks.push_back({a, b, shuffle, 0});

  std::atomic<size_t> next = 0;
  auto work = [&] {
    std::vector<double> sums;
    std::vector<int32_t> touched;
    for (size_t number; (number = next++) < tasks.size();) {
      Task &task = tasks[number];
      // The side with fewer values is added up: its sums stay in the nearest cache.
      const Indexed *outer = &index[task.a], *inner = &index[task.b];
      if (outer->feature->numValues < inner->feature->numValues)
        std::swap(outer, inner);
      sums.resize(std::max(sums.size(), static_cast<size_t>(inner->feature->numValues)), 0.0);
      const int32_t *order = task.shuffle < 0 ? nullptr : orders[task.shuffle].data();
      double joint = jointEntropy(*outer, *inner, order, sums, touched);
      task.information = std::max(0.0, outer->entropy + inner->entropy - joint);
    }
  };
  std::vector<std::thread> pool;
  for (int i = 1; i < threads; ++i)
    pool.emplace_back(work);
  work();
  for (std::thread &thread : pool)
    thread.join();

  MiMatrix zero(k, std::vector<double>(k, 0));
  MutualInformation result{zero, zero, zero};
  for (size_t i = 0; i < k; ++i)
    result.plugin[i][i] = index[i].entropy;
  for (const Task &task : tasks) {
    double &entry = task.shuffle < 0 ? result.plugin[task.a][task.b] : result.shuffled[task.a][task.b];
    entry += task.shuffle < 0 ? task.information : task.information / numShuffles;
  }
  for (size_t a = 0; a < k; ++a) {
    for (size_t b = 0; b < k; ++b) {
      if (b < a) {
        result.plugin[a][b] = result.plugin[b][a];
        result.shuffled[a][b] = result.shuffled[b][a];
      }
      result.corrected[a][b] = result.plugin[a][b] - result.shuffled[a][b];
    }
  }
  return result;
}

std::vector<int> tower::correlatedMask(const MiMatrix &matrix, int seed) {
  std::vector<int> others;
  for (int i = 0; i < static_cast<int>(matrix.size()); ++i)
    if (i != seed)
      others.push_back(i);
  std::stable_sort(others.begin(), others.end(), [&](int a, int b) { return matrix[seed][a] > matrix[seed][b]; });
  std::vector<int> mask = {seed};
  mask.insert(mask.end(), others.begin(), others.begin() + static_cast<std::ptrdiff_t>(matrix.size() / 2));
  return mask;
}
