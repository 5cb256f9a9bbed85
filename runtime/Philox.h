// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Philox4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011): a counter and a key give four
// words of 32 random bits, with no state. docs/Manifest.md says which counters and streams the model's numbers have.
#ifndef TOWER_RUNTIME_PHILOX_H
#define TOWER_RUNTIME_PHILOX_H

#include <array>
#include <cstdint>
#include <string_view>

namespace tower::rt {

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

/// FNV-1a of 32 bits: turns the name of a stream into half of a key.
constexpr uint32_t fnv1a32(std::string_view text) {
  uint32_t hash = 2166136261u;
  for (char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

/// The key of a stream: the seed's low 32 bits and the stream.
constexpr PhiloxKey philoxKey(uint64_t seed, uint32_t stream) { return {static_cast<uint32_t>(seed), stream}; }

/// The four words of one counter.
constexpr PhiloxCounter philox(PhiloxCounter c, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t{0xD2511F53u} * c[0], p1 = uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ key[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ key[1], static_cast<uint32_t>(p0)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return c;
}

} // namespace tower::rt
#endif
