// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/oracle/Random.h"

#include <cmath>

using namespace tower::oracle;

Words tower::oracle::philox4x32(Words counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    if (round > 0) {
      key0 += 0x9E3779B9; // the golden ratio
      key1 += 0xBB67AE85; // sqrt 3 - 1
    }
    uint64_t left = uint64_t(0xD2511F53) * counter[0];
    uint64_t right = uint64_t(0xCD9E8D57) * counter[2];
    Words next;
    next[0] = uint32_t(right >> 32) ^ counter[1] ^ key0;
    next[1] = uint32_t(right);
    next[2] = uint32_t(left >> 32) ^ counter[3] ^ key1;
    next[3] = uint32_t(left);
    counter = next;
  }
  return counter;
}

Words tower::oracle::draw(uint64_t seed, std::string_view stream, Words counter) {
  uint32_t hash = 2166136261;
  for (char c : stream) {
    hash ^= uint8_t(c);
    hash *= 16777619;
  }
  return philox4x32(counter, uint32_t(seed), hash);
}

Words tower::oracle::drawAtStep(uint64_t seed, std::string_view stream, uint64_t step, uint32_t a, uint32_t b) {
  return draw(seed, stream, {uint32_t(step), uint32_t(step >> 32), a, b});
}

std::vector<int64_t> tower::oracle::samplePairs(uint64_t seed, std::string_view stream, uint64_t step, int64_t batch,
                                                int64_t total) {
  uint64_t batches = total / batch, epoch = step / batches, first = step % batches * batch;
  int bits = 1; // of each half
  while ((uint64_t(1) << (2 * bits)) < uint64_t(total))
    ++bits;
  uint64_t half = (uint64_t(1) << bits) - 1;
  auto image = [&](uint64_t x) {
    uint64_t left = x >> bits, right = x & half;
    for (uint32_t round = 0; round < 6; ++round) {
      Words words = draw(seed, stream, {uint32_t(right), round, uint32_t(epoch), uint32_t(epoch >> 32)});
      uint64_t mixed = left ^ (words[0] & half);
      left = right;
      right = mixed;
    }
    return (left << bits) | right;
  };
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < batch; ++i) {
    uint64_t x = image(first + i);
    while (x >= uint64_t(total))
      x = image(x);
    positions.push_back(x);
  }
  return positions;
}

std::vector<int64_t> tower::oracle::sampleUniform(uint64_t seed, std::string_view stream, uint64_t step, int64_t count,
                                                  int64_t total) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) {
    Words words = drawAtStep(seed, stream, step, uint32_t(i), 0);
    uint64_t word = (uint64_t(words[1]) << 32) | words[0];
    rows.push_back(int64_t((static_cast<unsigned __int128>(word) * uint64_t(total)) >> 64));
  }
  return rows;
}

bool tower::oracle::isDropped(uint64_t seed, std::string_view stream, uint64_t step, int64_t position, int64_t index,
                              float rate) {
  double bound = std::round(double(rate) * 4294967296.0);
  return drawAtStep(seed, stream, step, uint32_t(position), uint32_t(index))[0] < bound;
}
