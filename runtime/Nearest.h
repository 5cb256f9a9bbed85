// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which known names a mistyped one may have meant: for flags, commands and queries.
#ifndef TOWER_RUNTIME_NEAREST_H
#define TOWER_RUNTIME_NEAREST_H

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tower::rt {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment).
int editDistance(std::string_view a, std::string_view b);

/// The up to `count` names nearest to `name`, nearest first, ties in the order given. Names further away than half
/// the length of `name` (at least 1) are left out unless one is the beginning of the other.
std::vector<std::string> nearestNames(std::string_view name, const std::vector<std::string> &names, size_t count = 3);

/// The same over `size` names that need not lie in memory as strings.
std::vector<std::string> nearestNames(std::string_view name, size_t size,
                                      const std::function<std::string_view(size_t)> &at, size_t count = 3);

/// " Did you mean 'a', 'b' or 'c'?", or nothing when there is no candidate.
std::string didYouMean(const std::vector<std::string> &candidates);

} // namespace tower::rt

#endif // TOWER_RUNTIME_NEAREST_H
