// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Words for messages about data.
#include "frontend/DataErrors.h"

#include <cstdint>

using namespace tower;

std::string tower::inQuotes(std::string_view text) {
  constexpr size_t longest = 60;
  std::string out = "\"";
  for (unsigned char c : text.substr(0, longest)) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c < 32)
      out += '?';
    else
      out += static_cast<char>(c);
  }
  return out + (text.size() > longest ? "...\"" : "\"");
}

bool tower::isUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    unsigned char lead = text[i];
    size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size())
      return false;
    uint32_t code = length == 1 ? lead : lead & (0x7f >> length);
    for (size_t k = 1; k < length; ++k) {
      unsigned char next = text[i + k];
      if (next >> 6 != 2)
        return false;
      code = code << 6 | (next & 0x3f);
    }
    static constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
      return false;
    i += length;
  }
  return true;
}
