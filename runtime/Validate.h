// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of what a dataset's columns and pairs hold. Every failure is an Error with file and row.
#ifndef TOWER_RUNTIME_VALIDATE_H
#define TOWER_RUNTIME_VALIDATE_H

#include "runtime/Dataset.h"

#include <cstdint>
#include <span>
#include <string>

namespace tower::rt {

/// Every id is in [0, limit). `what` names the limit, as in "rows of vocabulary 'section'".
void validateIds(const std::string &path, std::span<const int32_t> ids, int64_t limit, const std::string &what);

/// Offsets start at 0, never decrease, end at `total`, and no row is longer than `longest`.
void validateOffsets(const std::string &path, std::span<const int64_t> offsets, int64_t total, int64_t longest);

/// All numbers are finite; `width` of them a row.
void validateFinite(const std::string &path, std::span<const float> numbers, int64_t width);
void validateFinite(const std::string &path, std::span<const double> numbers);

/// All weights are finite and not negative.
void validateWeights(const std::string &path, std::span<const float> weights);

} // namespace tower::rt
#endif
