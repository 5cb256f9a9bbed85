// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/gpu/Products.h"

#include <bit>
#include <cmath>

namespace {

constexpr int kRows = 16, kColumns = 8, kLanes = 32;

/// tf32: the instruction reads no other bits.
float tf32(int32_t word) { return std::bit_cast<float>(word & ~0x1fff); }
float bf16(int32_t word, int half) {
  return std::bit_cast<float>(half ? word & ~0xffff : static_cast<int32_t>(static_cast<uint32_t>(word) << 16));
}

/// Lane 4 g + t has of A rows g and g + 8, of B and of the sums column g and columns 2 t and 2 t + 1; in depth t and t
/// + 4, of bf16 2 t, 2 t + 1, 2 t + 8 and 2 t + 9.
template <bool kBf16> void multiplyOne(const int32_t *a, const int32_t *b, float *c) {
  constexpr int depth = kBf16 ? 16 : 8;
  float left[kRows][depth], right[depth][kColumns], sums[kRows][kColumns];
  for (int lane = 0; lane < kLanes; ++lane) {
    int g = lane / 4, t = lane % 4;
    for (int r = 0; r < 4; ++r) {
      int32_t word = a[r * kLanes + lane];
      if constexpr (kBf16) {
        for (int half = 0; half < 2; ++half)
          left[g + r % 2 * 8][2 * t + half + r / 2 * 8] = bf16(word, half);
      } else {
        left[g + r % 2 * 8][t + r / 2 * 4] = tf32(word);
      }
      sums[g + r / 2 * 8][2 * t + r % 2] = c[r * kLanes + lane];
    }
    for (int r = 0; r < 2; ++r) {
      int32_t word = b[r * kLanes + lane];
      if constexpr (kBf16) {
        for (int half = 0; half < 2; ++half)
          right[2 * t + half + r * 8][g] = bf16(word, half);
      } else {
        right[t + r * 4][g] = tf32(word);
      }
    }
  }
  for (int i = 0; i < kRows; ++i)
    for (int k = 0; k < depth; ++k)
      for (int j = 0; j < kColumns; ++j)
        sums[i][j] += left[i][k] * right[k][j];
  for (int lane = 0; lane < kLanes; ++lane)
    for (int r = 0; r < 4; ++r)
      c[r * kLanes + lane] = sums[lane / 4 + r / 2 * 8][2 * (lane % 4) + r % 2];
}

uint32_t roundToBf16(float x) {
  auto bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x))
    return 0x7fff;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

} // namespace

void tower::gpu_test::multiply(int32_t *registers, const int32_t *steps, int64_t count, bool bf16) {
  auto *one = bf16 ? multiplyOne<true> : multiplyOne<false>;
  for (int64_t i = 0; i < count; ++i)
    one(registers + kLanes * steps[3 * i], registers + kLanes * steps[3 * i + 1],
        reinterpret_cast<float *>(registers + kLanes * steps[3 * i + 2]));
}

int32_t tower::gpu_test::toBf16(float low, float high) {
  return static_cast<int32_t>(roundToBf16(low) | roundToBf16(high) << 16);
}
