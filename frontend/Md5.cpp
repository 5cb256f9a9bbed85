// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MD5 as RFC 1321 describes it.
#include "frontend/Md5.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace tower;

static const std::array<uint32_t, 64> sines = [] {
  std::array<uint32_t, 64> table{};
  for (int i = 0; i < 64; ++i)
    table[i] = static_cast<uint32_t>(std::floor(std::fabs(std::sin(i + 1.0)) * 4294967296.0));
  return table;
}();

static void addBlock(std::array<uint32_t, 4> &state, const uint8_t *block) {
  static constexpr int shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  uint32_t words[16];
  for (int i = 0; i < 16; ++i)
    words[i] = block[4 * i] | block[4 * i + 1] << 8 | block[4 * i + 2] << 16 | uint32_t(block[4 * i + 3]) << 24;
  auto [a, b, c, d] = state;
  for (int i = 0; i < 64; ++i) {
    uint32_t mixed;
    int word;
    switch (i / 16) {
    case 0:
      mixed = (b & c) | (~b & d);
      word = i;
      break;
    case 1:
      mixed = (d & b) | (~d & c);
      word = (5 * i + 1) % 16;
      break;
    case 2:
      mixed = b ^ c ^ d;
      word = (3 * i + 5) % 16;
      break;
    default:
      mixed = c ^ (b | ~d);
      word = (7 * i) % 16;
    }
    uint32_t rotated = std::rotl(mixed + a + sines[i] + words[word], shifts[i / 16][i % 4]);
    a = d;
    d = c;
    c = b;
    b += rotated;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

std::array<uint8_t, 16> tower::md5(std::string_view text) {
  std::array<uint32_t, 4> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const auto *bytes = reinterpret_cast<const uint8_t *>(text.data());
  size_t whole = text.size() / 64 * 64;
  for (size_t at = 0; at < whole; at += 64)
    addBlock(state, bytes + at);

  // The rest, a one bit, zeros, and the length in bits: one block or two.
  uint8_t tail[128] = {};
  size_t rest = text.size() - whole;
  if (rest)
    std::memcpy(tail, bytes + whole, rest);
  tail[rest] = 0x80;
  size_t tailSize = rest + 9 <= 64 ? 64 : 128;
  for (int i = 0; i < 8; ++i)
    tail[tailSize - 8 + i] = static_cast<uint8_t>(uint64_t(text.size()) * 8 >> (8 * i));
  for (size_t at = 0; at < tailSize; at += 64)
    addBlock(state, tail + at);

  std::array<uint8_t, 16> digest;
  for (int i = 0; i < 16; ++i)
    digest[i] = static_cast<uint8_t>(state[i / 4] >> (8 * (i % 4)));
  return digest;
}

uint32_t tower::md5Fold(std::string_view text, uint32_t folds) {
  uint64_t rest = 0;
  for (uint8_t byte : md5(text))
    rest = (rest * 256 + byte) % folds;
  return static_cast<uint32_t>(rest);
}
