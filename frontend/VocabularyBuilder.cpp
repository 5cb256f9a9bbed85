// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counting strings and ordering them.
#include "frontend/VocabularyBuilder.h"

#include <algorithm>

using namespace tower;

int32_t StringNumbers::insert(std::string_view text) {
  if (int32_t number = find(text); number >= 0)
    return number;
  auto number = static_cast<int32_t>(strings.size());
  numbers.emplace(strings.emplace_back(text), number);
  return number;
}

int32_t StringNumbers::find(std::string_view text) const {
  auto at = numbers.find(text);
  return at == numbers.end() ? -1 : at->second;
}

int32_t VocabularyBuilder::count(std::string_view text) {
  int32_t number = strings.insert(text);
  if (number == static_cast<int32_t>(counts.size()))
    counts.push_back(0);
  ++counts[number];
  return number;
}

void VocabularyBuilder::finish() {
  numberOfRow.assign(1, -1);
  for (int64_t number = 0; number < strings.size(); ++number)
    if (counts[number] >= minCount)
      numberOfRow.push_back(static_cast<int32_t>(number));
  std::sort(numberOfRow.begin() + 1, numberOfRow.end(), [&](int32_t a, int32_t b) {
    return counts[a] != counts[b] ? counts[a] > counts[b] : strings[a] < strings[b];
  });
  if (maxSize > 0 && numberOfRow.size() > size_t(maxSize) + 1)
    numberOfRow.resize(size_t(maxSize) + 1);
  rowOfNumber.assign(strings.size(), 0);
  for (size_t row = 1; row < numberOfRow.size(); ++row)
    rowOfNumber[numberOfRow[row]] = static_cast<int32_t>(row);
}

const std::string &VocabularyBuilder::text(uint32_t row) const {
  static const std::string missing;
  return row == 0 ? missing : strings[numberOfRow[row]];
}
