// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Edit distance and the nearest names.
#include "runtime/Nearest.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <tuple>

namespace tower::rt {

int editDistance(std::string_view a, std::string_view b) {
  std::vector<int> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    next[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        next[j] = std::min(next[j], before[j - 2] + 1);
    }
    std::swap(before, row);
    std::swap(row, next);
  }
  return row[b.size()];
}

std::vector<std::string> nearestNames(std::string_view name, size_t size,
                                      const std::function<std::string_view(size_t)> &at, size_t count) {
  int furthest = std::max(1, static_cast<int>(name.size()) / 2);
  std::vector<std::tuple<int, size_t>> found;
  for (size_t i = 0; i < size; ++i) {
    std::string_view other = at(i);
    bool beginning = !name.empty() && !other.empty() && (other.starts_with(name) || name.starts_with(other));
    int lengths = std::abs(static_cast<int>(name.size()) - static_cast<int>(other.size()));
    if (!beginning && lengths > furthest)
      continue;
    int distance = editDistance(name, other);
    if (distance > furthest) {
      if (!beginning)
        continue;
      distance = furthest + 1;
    }
    found.emplace_back(distance, i);
  }
  size_t kept = std::min(count, found.size());
  std::partial_sort(found.begin(), found.begin() + kept, found.end());
  std::vector<std::string> names;
  for (size_t i = 0; i < kept; ++i)
    names.emplace_back(at(std::get<1>(found[i])));
  return names;
}

std::vector<std::string> nearestNames(std::string_view name, const std::vector<std::string> &names, size_t count) {
  return nearestNames(
      name, names.size(), [&](size_t i) { return std::string_view(names[i]); }, count);
}

std::string didYouMean(const std::vector<std::string> &candidates) {
  if (candidates.empty())
    return "";
  std::string text = " Did you mean ";
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (i > 0)
      text += i + 1 == candidates.size() ? " or " : ", ";
    text += "'" + candidates[i] + "'";
  }
  return text + "?";
}

} // namespace tower::rt
