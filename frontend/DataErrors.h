// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is wrong with the files that a dataset is made of. All errors are collected, up to a limit, so that one run
// shows what one round of corrections needs.
#ifndef TOWERC_FRONTEND_DATAERRORS_H
#define TOWERC_FRONTEND_DATAERRORS_H

#include <ostream>
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
      messages.push_back(where + ": error: " + what);
  }
  bool any() const { return !messages.empty(); }
  /// Whether to stop looking for more.
  bool full() const { return messages.size() >= limit; }
  const std::vector<std::string> &all() const { return messages; }

  /// A line each: "apps.tsv:3: error: ...".
  void print(std::ostream &out) const {
    for (const std::string &message : messages)
      out << message << "\n";
    if (full())
      out << "error: stopped after " << messages.size() << " errors\n";
  }

private:
  std::vector<std::string> messages;
};

/// `text` in quotes for a message, shortened when long.
std::string inQuotes(std::string_view text);
/// Whether `text` is valid UTF-8.
bool isUtf8(std::string_view text);

} // namespace tower

#endif // TOWERC_FRONTEND_DATAERRORS_H
