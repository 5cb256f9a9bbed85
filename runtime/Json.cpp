// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading JSON with messages that name the file and the field.
#include "runtime/Json.h"

#include "runtime/Error.h"

#include <charconv>

using namespace tower::rt;

Json tower::rt::parseJson(std::string_view text, const std::string &where) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error &error) {
    throw Error(where + ": is not JSON: it goes wrong at byte " + std::to_string(error.byte));
  }
}

void JsonView::fail(const std::string &what) const { throw Error(where + ": " + what); }

JsonView JsonView::field(const char *key) const {
  if (!value.is_object())
    fail("is not an object");
  std::string path = where + (where.ends_with(':') ? " " : where.find(": ") == std::string::npos ? ": " : ".") + key;
  auto found = value.find(key);
  if (found == value.end())
    throw Error(path + ": is missing");
  return {*found, path};
}

std::vector<JsonView> JsonView::elements() const {
  if (!value.is_array())
    fail("is not a list");
  std::vector<JsonView> views;
  for (size_t i = 0; i < value.size(); ++i)
    views.emplace_back(value[i], where + "[" + std::to_string(i) + "]");
  return views;
}

std::vector<JsonView> JsonView::list(const char *key) const {
  return has(key) ? field(key).elements() : std::vector<JsonView>();
}

int64_t JsonView::asInteger() const {
  if (value.is_number_integer())
    return value.get<int64_t>();
  if (value.is_string()) {
    const auto &digits = value.get_ref<const std::string &>();
    int64_t number;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && end == digits.data() + digits.size())
      return number;
  }
  fail("is not an integer");
}

double JsonView::asNumber() const {
  if (!value.is_number())
    fail("is not a number");
  return value.get<double>();
}

std::string JsonView::asText() const {
  if (!value.is_string())
    fail("is not a string");
  return value.get<std::string>();
}

int64_t JsonView::integer(const char *key, std::optional<int64_t> fallback) const {
  return fallback && !has(key) ? *fallback : field(key).asInteger();
}

double JsonView::number(const char *key, std::optional<double> fallback) const {
  return fallback && !has(key) ? *fallback : field(key).asNumber();
}

std::string JsonView::text(const char *key, std::optional<std::string> fallback) const {
  return fallback && !has(key) ? *fallback : field(key).asText();
}

bool JsonView::flag(const char *key, std::optional<bool> fallback) const {
  if (fallback && !has(key))
    return *fallback;
  JsonView view = field(key);
  if (!view.value.is_boolean())
    view.fail("is neither true nor false");
  return view.value.get<bool>();
}
