// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading JSON with messages that name the file and the field.
#ifndef TOWER_RUNTIME_JSON_H
#define TOWER_RUNTIME_JSON_H

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tower::rt {

using Json = nlohmann::json;

/// Parses a text; `where` (a file's name) begins every message. Throws Error with the byte where the text goes wrong.
Json parseJson(std::string_view text, const std::string &where);

/// A value in a JSON document and the way to it. Accessors throw Error if a field is missing (and has no default) or is
/// of another type. Does not own the document.
class JsonView {
public:
  JsonView(const Json &value, std::string where) : value(value), where(std::move(where)) {}

  bool has(const char *key) const { return value.is_object() && value.contains(key); }
  JsonView field(const char *key) const;
  /// The elements of a list; none if the field is missing.
  std::vector<JsonView> list(const char *key) const;

  /// Integers may be strings of digits: protobuf writes 64-bit ones so.
  int64_t integer(const char *key, std::optional<int64_t> fallback = {}) const;
  double number(const char *key, std::optional<double> fallback = {}) const;
  std::string text(const char *key, std::optional<std::string> fallback = {}) const;
  bool flag(const char *key, std::optional<bool> fallback = {}) const;

  int64_t asInteger() const;
  double asNumber() const;
  std::string asText() const;
  std::vector<JsonView> elements() const;

  [[noreturn]] void fail(const std::string &what) const;

private:
  const Json &value;
  std::string where;
};

} // namespace tower::rt
#endif
