// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Strings to rows of an embedding table. While the text is read, strings get preliminary numbers and are counted; then
// finish() gives those that are kept their rows.
#ifndef TOWERC_FRONTEND_VOCABULARYBUILDER_H
#define TOWERC_FRONTEND_VOCABULARYBUILDER_H

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tower {

/// Strings numbered 0, 1, ... in order of appearance.
class StringNumbers {
public:
  /// The string's number, a new one if it was not seen.
  int32_t insert(std::string_view text);
  /// The string's number or -1.
  int32_t find(std::string_view text) const;
  int64_t size() const { return static_cast<int64_t>(strings.size()); }
  const std::string &operator[](size_t number) const { return strings[number]; }

private:
  std::deque<std::string> strings; // a deque, so that the map's views stay good
  std::unordered_map<std::string_view, int32_t> numbers;
};

class VocabularyBuilder {
public:
  /// See Vocabulary in data.proto.
  VocabularyBuilder(uint32_t minCount, uint32_t maxSize) : minCount(minCount), maxSize(maxSize) {}

  /// Count `text` once and return its preliminary number.
  int32_t count(std::string_view text);
  /// Whether `text` was counted before.
  bool knows(std::string_view text) const { return strings.find(text) >= 0; }

  /// Choose the rows: 1.. by falling count, then by bytes; row 0 is "missing".
  void finish();

  // After finish().

  /// The row of a preliminary number; 0 where the string was not kept.
  int32_t row(int32_t number) const { return number < 0 ? 0 : rowOfNumber[number]; }
  /// How many rows there are, row 0 included.
  uint32_t rows() const { return static_cast<uint32_t>(numberOfRow.size()); }
  /// The string of a row; "" of row 0.
  const std::string &text(uint32_t row) const;
  /// How many strings were not kept.
  int64_t dropped() const { return strings.size() + 1 - rows(); }

private:
  uint32_t minCount, maxSize;
  StringNumbers strings;
  std::vector<int64_t> counts;
  std::vector<int32_t> rowOfNumber, numberOfRow;
};

} // namespace tower

#endif // TOWERC_FRONTEND_VOCABULARYBUILDER_H
