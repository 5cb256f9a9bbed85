// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What generated code draws through the runtime: pairs of a batch, items of a loss, masks (docs/Manifest.md, "Random
// numbers"). All are functions of seed, stream and step; nothing is stored.
#include "runtime/Philox.h"
#include "runtime/tower_abi.h"

#include <utility>
#include <vector>

using namespace tower::rt;

namespace {

/// A keyed bijection of [0, total).
class EpochOrder {
public:
  EpochOrder(PhiloxKey key, uint64_t epoch, uint64_t total) : key(key), epoch(epoch), total(total) {
    while ((uint64_t{1} << (2 * halfBits)) < total)
      ++halfBits;
  }

  uint64_t operator()(uint64_t place) const {
    do
      place = permute(place);
    while (place >= total);
    return place;
  }

private:
  uint64_t permute(uint64_t place) const {
    uint32_t ones = static_cast<uint32_t>((uint64_t{1} << halfBits) - 1);
    uint32_t left = static_cast<uint32_t>(place >> halfBits), right = static_cast<uint32_t>(place) & ones;
    for (uint32_t round = 0; round < 6; ++round) {
      uint32_t word = philox({right, round, static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32)}, key)[0];
      left = std::exchange(right, left ^ (word & ones));
    }
    return uint64_t{left} << halfBits | right;
  }

  PhiloxKey key;
  uint64_t epoch, total;
  unsigned halfBits = 1;
};

PhiloxCounter drawAt(uint64_t step, uint32_t index, PhiloxKey key) {
  return philox({static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32), index, 0}, key);
}

} // namespace

extern "C" void tower_rt_sample_pairs(uint64_t seed, uint32_t stream, uint64_t step, int64_t batch, int64_t total,
                                      int32_t *positions) {
  uint64_t batches = static_cast<uint64_t>(total / batch);
  EpochOrder order(philoxKey(seed, stream), step / batches, static_cast<uint64_t>(total));
  uint64_t first = step % batches * static_cast<uint64_t>(batch);
  for (int64_t i = 0; i < batch; ++i)
    positions[i] = static_cast<int32_t>(order(first + static_cast<uint64_t>(i)));
}

extern "C" void tower_rt_sample_uniform(uint64_t seed, uint32_t stream, uint64_t step, int64_t count, int64_t total,
                                        int32_t *rows) {
  PhiloxKey key = philoxKey(seed, stream);
  for (int64_t i = 0; i < count; ++i) {
    PhiloxCounter words = drawAt(step, static_cast<uint32_t>(i), key);
    // High 64 bits of (w0 + 2^32 w1) x total in two halves: total is below 2^31, so nothing overflows.
    uint64_t low = uint64_t{words[0]} * static_cast<uint64_t>(total);
    uint64_t high = uint64_t{words[1]} * static_cast<uint64_t>(total);
    rows[i] = static_cast<int32_t>((high + (low >> 32)) >> 32);
  }
}

extern "C" void tower_rt_feature_mask(uint64_t seed, uint32_t stream, uint64_t step, int64_t features, int64_t masked,
                                      const int32_t *order, uint8_t *mask) {
  PhiloxKey key = philoxKey(seed, stream);
  for (int64_t f = 0; f < features; ++f)
    mask[f] = 0;
  if (order) {
    int64_t chosen = static_cast<int64_t>(uint64_t{drawAt(step, 0, key)[0]} * static_cast<uint64_t>(features) >> 32);
    mask[chosen] = 1;
    for (int64_t i = 0; i + 1 < masked; ++i)
      mask[order[chosen * (features - 1) + i]] = 1;
    return;
  }
  int32_t few[64];
  std::vector<int32_t> many;
  int32_t *left = few;
  if (features > 64) {
    many.resize(static_cast<size_t>(features));
    left = many.data();
  }
  for (int64_t f = 0; f < features; ++f)
    left[f] = static_cast<int32_t>(f);
  for (int64_t j = 0; j < masked; ++j) {
    uint64_t word = drawAt(step, static_cast<uint32_t>(j), key)[0];
    std::swap(left[j], left[j + static_cast<int64_t>(word * static_cast<uint64_t>(features - j) >> 32)]);
    mask[left[j]] = 1;
  }
}
