// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What messages say when a name is wrong: the nearest right one, or all of them.
#ifndef TOWERC_FRONTEND_SUGGEST_H
#define TOWERC_FRONTEND_SUGGEST_H

#include <string>
#include <string_view>
#include <vector>

namespace tower {

/// The candidate that `name` is most likely a misspelling of (case does not count), or "" where none is close.
std::string nearest(std::string_view name, const std::vector<std::string> &candidates);

/// "a", "a or b", "a, b or c"; of long lists the first 12 and how many more there are. "(none)" of an empty list.
std::string alternatives(const std::vector<std::string> &candidates);

/// `; did you mean "b"?` where a candidate is near, else `; allowed: a, b or c`.
std::string didYouMean(std::string_view name, const std::vector<std::string> &candidates);

} // namespace tower

#endif // TOWERC_FRONTEND_SUGGEST_H
