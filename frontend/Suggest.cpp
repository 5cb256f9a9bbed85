// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Suggestions by edit distance.
#include "frontend/Suggest.h"

#include <algorithm>
#include <cctype>

namespace tower {

static std::string lower(std::string_view text) {
  std::string result(text);
  for (char &c : result)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

/// Insertions, deletions and replacements that turn a into b; exchanging two neighbours counts 1.
static size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

std::string nearest(std::string_view name, const std::vector<std::string> &candidates) {
  constexpr size_t longest = 64; // of a name that is worth comparing
  if (name.empty() || name.size() > longest)
    return "";
  std::string wanted = lower(name);
  std::string best;
  size_t least = std::max<size_t>(1, name.size() / 3) + 1;
  for (const std::string &candidate : candidates) {
    if (candidate.size() > longest)
      continue;
    size_t distance = editDistance(wanted, lower(candidate));
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string alternatives(const std::vector<std::string> &candidates) {
  constexpr size_t most = 12;
  if (candidates.empty())
    return "(none)";
  size_t shown = candidates.size() > most + 1 ? most : candidates.size();
  std::string result = candidates[0];
  for (size_t i = 1; i < shown; ++i)
    result += (i + 1 == candidates.size() ? " or " : ", ") + candidates[i];
  if (shown < candidates.size())
    result += " or one of " + std::to_string(candidates.size() - shown) + " more";
  return result;
}

std::string didYouMean(std::string_view name, const std::vector<std::string> &candidates) {
  std::string near = nearest(name, candidates);
  return near.empty() ? "; allowed: " + alternatives(candidates) : "; did you mean \"" + near + "\"?";
}

} // namespace tower
