// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Collecting and printing diagnostics of specs.
#include "frontend/SpecDiagnostics.h"

#include <algorithm>
#include <ostream>
#include <tuple>

namespace tower {

std::string SpecPosition::str() const {
  return line == 0 ? file : file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

void SpecDiagnostics::addSource(const std::string &file, std::string_view text) {
  std::vector<std::string> &result = lines[file];
  result.clear();
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.back() == '\r')
      line.remove_suffix(1);
    result.emplace_back(line);
  }
}

void SpecDiagnostics::add(SpecDiagnostic diagnostic) {
  for (const SpecDiagnostic &other : all)
    if (other.severity == diagnostic.severity && other.message == diagnostic.message &&
        other.position.str() == diagnostic.position.str())
      return;
  errors += diagnostic.severity == SpecDiagnostic::Error;
  all.push_back(std::move(diagnostic));
}

void SpecDiagnostics::error(const SpecPosition &position, const std::string &message) {
  add({SpecDiagnostic::Error, position, message});
}

void SpecDiagnostics::warning(const SpecPosition &position, const std::string &message) {
  add({SpecDiagnostic::Warning, position, message});
}

std::vector<SpecDiagnostic> SpecDiagnostics::sorted() const {
  std::vector<SpecDiagnostic> result = all;
  std::stable_sort(result.begin(), result.end(), [](const SpecDiagnostic &a, const SpecDiagnostic &b) {
    return std::tie(a.position.file, a.position.line, a.position.column) <
           std::tie(b.position.file, b.position.line, b.position.column);
  });
  return result;
}

void SpecDiagnostics::print(std::ostream &os) const {
  for (const SpecDiagnostic &diagnostic : sorted()) {
    const SpecPosition &position = diagnostic.position;
    os << position.str() << (diagnostic.severity == SpecDiagnostic::Error ? ": error: " : ": warning: ")
       << diagnostic.message << "\n";
    auto source = lines.find(position.file);
    if (source == lines.end() || position.line < 1 || position.line > static_cast<int>(source->second.size()))
      continue;
    const std::string &text = source->second[position.line - 1];
    std::string number = std::to_string(position.line);
    number.insert(0, number.size() < 5 ? 5 - number.size() : 0, ' ');
    os << number << " | " << text << "\n" << std::string(number.size(), ' ') << " | ";
    size_t before = std::min(text.size(), static_cast<size_t>(std::max(position.column - 1, 0)));
    for (size_t i = 0; i < before; ++i)
      os << (text[i] == '\t' ? '\t' : ' '); // a tab stays one, so that the caret stands under its character
    size_t marked = std::min(static_cast<size_t>(std::max(position.length, 1)), text.size() - before);
    os << '^' << std::string(marked > 1 ? marked - 1 : 0, '~') << "\n";
  }
}

} // namespace tower
