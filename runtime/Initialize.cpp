// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// First values of parameters (docs/Manifest.md, "Random numbers"). Large tables have tens of millions of them, so the
// numbers are made in blocks, in loops that the compiler turns into vector code, for the widest vectors of the machine.
// Logarithm, sine and cosine are polynomials in double precision (errors below 1e-10), and no product is fused with a
// sum: the bits are the same on every CPU.
#include "runtime/Philox.h"
#include "runtime/Tensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

using namespace tower::rt;

namespace {

constexpr int lanes = 32;              // counters a block; each gives two elements
constexpr int64_t pieceSize = 1 << 16; // elements a piece, a multiple of a block

struct Words {
  uint32_t first[lanes], second[lanes];
};

/// Words w0 and w1 of the counters (start + lane, 0, 0).
[[gnu::always_inline]] inline void draw(uint64_t start, PhiloxKey key, Words &words) {
  uint32_t c0[lanes], c1[lanes], c2[lanes], c3[lanes];
  for (int i = 0; i < lanes; ++i) {
    uint64_t counter = start + static_cast<uint64_t>(i);
    c0[i] = static_cast<uint32_t>(counter);
    c1[i] = static_cast<uint32_t>(counter >> 32);
    c2[i] = c3[i] = 0;
  }
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < lanes; ++i) {
      uint64_t p0 = uint64_t{0xD2511F53u} * c0[i], p1 = uint64_t{0xCD9E8D57u} * c2[i];
      c0[i] = static_cast<uint32_t>(p1 >> 32) ^ c1[i] ^ key[0];
      c1[i] = static_cast<uint32_t>(p1);
      c2[i] = static_cast<uint32_t>(p0 >> 32) ^ c3[i] ^ key[1];
      c3[i] = static_cast<uint32_t>(p0);
    }
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  std::copy(c0, c0 + lanes, words.first);
  std::copy(c1, c1 + lanes, words.second);
}

/// The number itself, exact, below 2^52.
[[gnu::always_inline]] inline double toDouble(uint64_t value) {
  return std::bit_cast<double>(value | 0x4330000000000000u) - 0x1p52;
}

/// ln(u / 2^32) of a whole number u in [1, 2^32]. u = m 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2
/// artanh((m-1)/(m+1)).
[[gnu::always_inline]] inline double logOfFraction(double u) {
  uint64_t bits = std::bit_cast<uint64_t>(u);
  uint64_t exponent = (bits - 0x3FE6A09E667F3BCDu) >> 52;
  double m = std::bit_cast<double>(bits - (exponent << 52));
  double s = (m - 1) / (m + 1), z = s * s;
  double series = 1.0 / 11;
  series = series * z + 1.0 / 9;
  series = series * z + 1.0 / 7;
  series = series * z + 1.0 / 5;
  series = series * z + 1.0 / 3;
  series = series * z + 1;
  return 2 * s * series + (toDouble(exponent) - 32) * std::numbers::ln2;
}

/// Two normal numbers a lane (Box-Muller), times scale.
[[gnu::always_inline]] inline void normalBlock(uint64_t start, PhiloxKey key, double scale, float *out) {
  Words words;
  draw(start, key, words);
  double radius[lanes];
  for (int i = 0; i < lanes; ++i)
    radius[i] = scale * std::sqrt(-2 * logOfFraction(toDouble(words.first[i]) + 1));
  for (int i = 0; i < lanes; ++i) {
    // The angle 2 pi w1 / 2^32 is a number of right angles and a rest in [-pi/4, pi/4).
    uint32_t quadrant = (words.second[i] + 0x20000000u) >> 30;
    double x =
        static_cast<double>(static_cast<int32_t>(words.second[i] - (quadrant << 30))) * (std::numbers::pi / 2 / 0x1p30);
    double z = x * x;
    double sine = -1.0 / 39916800;
    sine = sine * z + 1.0 / 362880;
    sine = sine * z - 1.0 / 5040;
    sine = sine * z + 1.0 / 120;
    sine = sine * z - 1.0 / 6;
    sine = sine * z * x + x;
    double cosine = 1.0 / 479001600;
    cosine = cosine * z - 1.0 / 3628800;
    cosine = cosine * z + 1.0 / 40320;
    cosine = cosine * z - 1.0 / 720;
    cosine = cosine * z + 1.0 / 24;
    cosine = cosine * z - 1.0 / 2;
    cosine = cosine * z + 1;
    double c = quadrant & 1 ? sine : cosine, s = quadrant & 1 ? cosine : sine;
    c = (quadrant + 1) & 2 ? -c : c;
    s = quadrant & 2 ? -s : s;
    out[2 * i] = static_cast<float>(radius[i] * c);
    out[2 * i + 1] = static_cast<float>(radius[i] * s);
  }
}

/// Two uniform numbers in (-scale, scale) a lane.
[[gnu::always_inline]] inline void uniformBlock(uint64_t start, PhiloxKey key, double scale, float *out) {
  Words words;
  draw(start, key, words);
  for (int i = 0; i < lanes; ++i) {
    out[2 * i] = static_cast<float>((2 * (toDouble(words.first[i]) + 0.5) / 0x1p32 - 1) * scale);
    out[2 * i + 1] = static_cast<float>((2 * (toDouble(words.second[i]) + 0.5) / 0x1p32 - 1) * scale);
  }
}

/// Elements [begin, begin + count) of a tensor; begin is a multiple of a block.
[[gnu::always_inline]] inline void fill(bool normal, PhiloxKey key, double scale, int64_t begin, int64_t count,
                                        float *out) {
  for (int64_t done = 0; done < count; done += 2 * lanes) {
    float last[2 * lanes];
    float *block = count - done < 2 * lanes ? last : out + done;
    uint64_t start = static_cast<uint64_t>(begin + done) / 2;
    normal ? normalBlock(start, key, scale, block) : uniformBlock(start, key, scale, block);
    if (block == last)
      std::copy(last, last + (count - done), out + done);
  }
}

using Fill = void (*)(bool, PhiloxKey, double, int64_t, int64_t, float *);

void fillAnywhere(bool normal, PhiloxKey key, double scale, int64_t begin, int64_t count, float *out) {
  fill(normal, key, scale, begin, count, out);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void fillAvx2(bool normal, PhiloxKey key, double scale, int64_t begin, int64_t count,
                                      float *out) {
  fill(normal, key, scale, begin, count, out);
}
[[gnu::target("avx512f,avx512dq,avx512vl,avx512bw,prefer-vector-width=512")]] void
fillAvx512(bool normal, PhiloxKey key, double scale, int64_t begin, int64_t count, float *out) {
  fill(normal, key, scale, begin, count, out);
}
#endif

Fill chooseFill() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    return fillAvx512;
  if (__builtin_cpu_supports("avx2"))
    return fillAvx2;
#endif
  return fillAnywhere;
}

} // namespace

void tower::rt::drawInitial(const TensorInfo &tensor, uint64_t seed, std::span<float> out, Pool &pool) {
  bool normal = tensor.init.kind == InitKind::Normal;
  PhiloxKey key = philoxKey(tensor.init.seed ? tensor.init.seed : seed, fnv1a32("init/" + tensor.name));
  double scale = tensor.init.scale;
  Fill fillPiece = chooseFill();
  int64_t count = static_cast<int64_t>(out.size());
  parallel(pool, (count + pieceSize - 1) / pieceSize, [&](int64_t piece) {
    int64_t begin = piece * pieceSize;
    fillPiece(normal, key, scale, begin, std::min(pieceSize, count - begin), out.data() + begin);
  });
}
