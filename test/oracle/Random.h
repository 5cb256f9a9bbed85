// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle's own Philox4x32-10, written from the paper (Salmon et al., Parallel random numbers: as easy as 1, 2, 3,
// SC 2011) and not from the runtime's, so that one checks the other.
#ifndef TEST_ORACLE_RANDOM_H
#define TEST_ORACLE_RANDOM_H

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tower::oracle {

using Words = std::array<uint32_t, 4>;

/// Four random words of a counter under a key.
Words philox4x32(Words counter, uint32_t key0, uint32_t key1);

/// The words of a named stream (docs/Manifest.md): key = (low half of the seed, FNV-1a-32 of the name).
Words draw(uint64_t seed, std::string_view stream, Words counter);

/// The words of counter (step low, step high, a, b).
Words drawAtStep(uint64_t seed, std::string_view stream, uint64_t step, uint32_t a, uint32_t b);

/// Places of the batch's pairs in `total` training pairs.
std::vector<int64_t> samplePairs(uint64_t seed, std::string_view stream, uint64_t step, int64_t batch, int64_t total);

/// `count` numbers in [0, total).
std::vector<int64_t> sampleUniform(uint64_t seed, std::string_view stream, uint64_t step, int64_t count, int64_t total);

/// True if value dropout drops value number `index` of the batch's row `position`.
bool isDropped(uint64_t seed, std::string_view stream, uint64_t step, int64_t position, int64_t index, float rate);

} // namespace tower::oracle

#endif
