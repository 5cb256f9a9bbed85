// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random models and datasets for them, small and odd: everything that a spec can say occurs. The same seed gives the
// same model, data and values.
#ifndef TEST_ORACLE_GENERATOR_H
#define TEST_ORACLE_GENERATOR_H

#include "frontend/data.pb.h"
#include "frontend/model.pb.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tower::oracle {

/// Draws what generators need. Not std::uniform_int_distribution: its numbers differ between libraries.
class Dice {
public:
  explicit Dice(uint64_t seed) : engine(seed) {}

  int64_t between(int64_t low, int64_t high) { return low + int64_t(engine() % uint64_t(high - low + 1)); }
  double real() { return double(engine() >> 11) / 9007199254740992.0; } ///< In [0, 1).
  double between(double low, double high) { return low + (high - low) * real(); }
  bool chance(double probability) { return real() < probability; }
  template <typename T> const T &of(const std::vector<T> &list) { return list[between(int64_t{0}, list.size() - 1)]; }
  template <typename T> T of(std::initializer_list<T> list) {
    return list.begin()[between(int64_t{0}, list.size() - 1)];
  }
  double normal(); ///< Mean 0, deviation 1, less than 4 away.

private:
  std::mt19937_64 engine;
};

/// Writes a dataset (frontend/data.proto) into an empty folder, with mi.json for each entity: catalogues so small that
/// items repeat, empty and missing values, columns without any value, constant numbers. The query entity may be the
/// item entity.
data::Dataset generateData(Dice &dice, const std::string &folder);

/// A spec for that data that readSpec accepts.
spec::Model generateModel(Dice &dice, const data::Dataset &data);

} // namespace tower::oracle

#endif
