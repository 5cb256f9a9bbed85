// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of columns and pairs.
#include "runtime/Validate.h"

#include "runtime/Error.h"

#include <cmath>

using namespace tower::rt;

namespace {

[[noreturn]] void failAt(const std::string &path, size_t row, const std::string &what) {
  throw Error(path + ": row " + std::to_string(row) + ": " + what);
}

} // namespace

void tower::rt::validateIds(const std::string &path, std::span<const int32_t> ids, int64_t limit,
                            const std::string &what) {
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || ids[i] >= limit)
      failAt(path, i, std::to_string(ids[i]) + " is not in [0, " + std::to_string(limit) + "), the " + what);
}

void tower::rt::validateOffsets(const std::string &path, std::span<const int64_t> offsets, int64_t total,
                                int64_t longest) {
  if (offsets.front() != 0)
    failAt(path, 0, "the first offset is " + std::to_string(offsets.front()) + ", not 0");
  for (size_t i = 1; i < offsets.size(); ++i) {
    if (offsets[i] < offsets[i - 1])
      failAt(path, i, "offsets decrease from " + std::to_string(offsets[i - 1]) + " to " + std::to_string(offsets[i]));
    if (offsets[i] - offsets[i - 1] > longest)
      failAt(path, i - 1,
             "has " + std::to_string(offsets[i] - offsets[i - 1]) + " values, but schema.json says at most " +
                 std::to_string(longest));
  }
  if (offsets.back() != total)
    failAt(path, offsets.size() - 1,
           "the last offset is " + std::to_string(offsets.back()) + ", but there are " + std::to_string(total) +
               " values");
}

void tower::rt::validateFinite(const std::string &path, std::span<const float> numbers, int64_t width) {
  for (size_t i = 0; i < numbers.size(); ++i)
    if (!std::isfinite(numbers[i]))
      failAt(path, i / static_cast<size_t>(width), std::to_string(numbers[i]) + " is not a finite number");
}

void tower::rt::validateFinite(const std::string &path, std::span<const double> numbers) {
  for (size_t i = 0; i < numbers.size(); ++i)
    if (!std::isfinite(numbers[i]))
      failAt(path, i, std::to_string(numbers[i]) + " is not a finite number");
}

void tower::rt::validateWeights(const std::string &path, std::span<const float> weights) {
  validateFinite(path, weights, 1);
  for (size_t i = 0; i < weights.size(); ++i)
    if (weights[i] < 0)
      failAt(path, i, "the weight " + std::to_string(weights[i]) + " is negative");
}
