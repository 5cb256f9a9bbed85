// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A mapped text file with a string a line: a vocabulary, or the keys of an entity's rows.
#ifndef TOWER_RUNTIME_LINES_H
#define TOWER_RUNTIME_LINES_H

#include "runtime/File.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tower::rt {

class Lines {
public:
  /// Throws Error unless the file has exactly `rows` lines.
  Lines(const std::string &path, int64_t rows);

  int64_t size() const { return static_cast<int64_t>(starts.size()) - 1; }
  std::string_view operator[](int64_t row) const {
    return file.text().substr(starts[row], starts[row + 1] - starts[row] - 1);
  }
  /// The first row with this text. The first call builds an index: not to be raced by threads.
  std::optional<int32_t> find(std::string_view text) const;

private:
  MappedFile file;
  std::vector<size_t> starts; // of every line, and one past the last line's end
  mutable std::unordered_map<std::string_view, int32_t> index;
};

} // namespace tower::rt
#endif
