// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text files with a string a line.
#include "runtime/Lines.h"

#include "runtime/Error.h"

#include <algorithm>
#include <cstring>

using namespace tower::rt;

Lines::Lines(const std::string &path, int64_t rows) : file(path) {
  std::string_view text = file.text();
  starts.reserve(std::min(static_cast<size_t>(rows), text.size()) + 1);
  size_t at = 0;
  while (at < text.size()) {
    starts.push_back(at);
    const void *end = std::memchr(text.data() + at, '\n', text.size() - at);
    // A last line may lack its end.
    at = end ? static_cast<size_t>(static_cast<const char *>(end) - text.data()) + 1 : text.size() + 1;
  }
  starts.push_back(at);
  if (size() != rows)
    throw Error(path + ": has " + std::to_string(size()) + " lines, but schema.json says " + std::to_string(rows));
}

std::optional<int32_t> Lines::find(std::string_view text) const {
  if (index.empty()) {
    index.reserve(static_cast<size_t>(size()));
    for (int64_t row = 0; row < size(); ++row)
      index.emplace((*this)[row], static_cast<int32_t>(row));
  }
  auto found = index.find(text);
  if (found == index.end())
    return std::nullopt;
  return found->second;
}
