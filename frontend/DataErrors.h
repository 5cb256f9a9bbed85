// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is wrong with the files that a dataset is made of. All errors are collected, up to a limit, so that one run
// shows what one round of corrections needs.
#ifndef TOWERC_FRONTEND_DATAERRORS_H
#define TOWERC_FRONTEND_DATAERRORS_H

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace tower {

class DataErrors {
public:
  static constexpr size_t limit = 20;

  /// `where` is "file", "file:line" or "file:line:column"; `what` says what was found and what to do. Errors beyond the
  /// limit are not kept.
  void add(const std::string &where, const std::string &what) {
    if (!full())
      messages.push_back(where + ": " + what);
  }
  bool any() const { return !messages.empty(); }
  /// Whether to stop looking for more.
  bool full() const { return messages.size() >= limit; }
  const std::vector<std::string> &all() const { return messages; }

  void print(FILE *stream) const {
    for (const std::string &message : messages)
      std::fprintf(stream, "error: %s\n", message.c_str());
    if (full())
      std::fprintf(stream, "error: stopped after %zu errors\n", messages.size());
  }

private:
  std::vector<std::string> messages;
};

/// `text` in quotes for a message, shortened when long.
std::string inQuotes(std::string_view text);
/// "`a`, `b`, `c`".
std::string listed(const std::vector<std::string> &names);
/// Whether `text` is valid UTF-8.
bool isUtf8(std::string_view text);

} // namespace tower

#endif // TOWERC_FRONTEND_DATAERRORS_H
