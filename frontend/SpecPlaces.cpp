// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Looking up where a part of a message is written.
#include "frontend/SpecText.h"

namespace tower {

/// "a[1].b" -> "a[1]" -> "a" -> "".
static std::string_view enclosing(std::string_view path) {
  size_t end = path.find_last_of(".[");
  return end == std::string_view::npos ? std::string_view() : path.substr(0, end);
}

const SpecPlaces::Place *SpecPlaces::find(std::string_view path) const {
  for (; !path.empty(); path = enclosing(path))
    if (auto place = places.find(path); place != places.end())
      return &place->second;
  return nullptr;
}

SpecPosition SpecPlaces::nameAt(std::string_view path) const {
  const Place *place = find(path);
  return place ? place->name : SpecPosition{file, 1, 1, 1};
}

SpecPosition SpecPlaces::valueAt(std::string_view path) const {
  auto exact = places.find(path);
  return exact != places.end() ? exact->second.value : nameAt(path);
}

bool SpecPlaces::anySpoiled(std::string_view prefix) const {
  auto first = spoiled.lower_bound(prefix);
  return first != spoiled.end() && first->starts_with(prefix);
}

bool SpecPlaces::namesSpoiled(std::string_view list) const {
  for (auto path = spoiled.lower_bound(list); path != spoiled.end() && path->starts_with(list); ++path)
    if (path->size() == list.size() || path->back() == ']' || path->ends_with(".name") || path->ends_with(".features"))
      return true;
  return false;
}

void SpecPlaces::set(const std::string &path, SpecPosition name, SpecPosition value) {
  places[path] = {std::move(name), std::move(value)};
}

void SpecPlaces::erase(const std::string &path) {
  for (auto place = places.lower_bound(path); place != places.end() && place->first.starts_with(path);) {
    char next = place->first.size() == path.size() ? '.' : place->first[path.size()];
    place = next == '.' || next == '[' ? places.erase(place) : std::next(place);
  }
}

} // namespace tower
