// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random numbers: the published vectors, and what docs/Manifest.md promises about pairs, items and masks.
#include "runtime/Philox.h"
#include "runtime/tower_abi.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <vector>

using namespace tower::rt;

namespace {

std::vector<int32_t> pairsAt(uint64_t seed, uint64_t step, int64_t batch, int64_t total) {
  std::vector<int32_t> positions(static_cast<size_t>(batch));
  tower_rt_sample_pairs(seed, fnv1a32("pairs"), step, batch, total, positions.data());
  return positions;
}

std::vector<uint8_t> maskAt(uint64_t step, int64_t features, int64_t masked, const int32_t *order) {
  std::vector<uint8_t> mask(static_cast<size_t>(features), 7);
  tower_rt_feature_mask(1, fnv1a32("ssl/mask"), step, features, masked, order, mask.data());
  return mask;
}

} // namespace

TEST(Philox, GivesThePublishedVectors) {
  // kat_vectors of Random123 (philox4x32, 10 rounds): counter, key, result.
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, StreamsAreFnv1a) {
  EXPECT_EQ(fnv1a32(""), 0x811c9dc5u);
  EXPECT_EQ(fnv1a32("a"), 0xe40c292cu);
  EXPECT_EQ(fnv1a32("foobar"), 0xbf9cf968u);
}

TEST(SamplePairs, AnEpochIsAPermutation) {
  // Totals at, below and above powers of 4.
  for (int64_t total : {1, 2, 3, 4, 5, 15, 16, 17, 64, 1000}) {
    for (uint64_t epoch : {0, 1, 7}) {
      std::vector<int32_t> seen;
      for (int64_t i = 0; i < total; ++i)
        seen.push_back(pairsAt(5, epoch * static_cast<uint64_t>(total) + static_cast<uint64_t>(i), 1, total)[0]);
      std::sort(seen.begin(), seen.end());
      std::vector<int32_t> all(static_cast<size_t>(total));
      std::iota(all.begin(), all.end(), 0);
      EXPECT_EQ(seen, all) << total << " pairs, epoch " << epoch;
    }
  }
}

TEST(SamplePairs, ALastPartialBatchIsDropped) {
  // 10 pairs in batches of 4: steps 0 and 1 are the first epoch, step 2 begins the next with pairs of its own order.
  std::set<int32_t> epoch;
  for (uint64_t step : {0, 1})
    for (int32_t position : pairsAt(1, step, 4, 10))
      EXPECT_TRUE(epoch.insert(position).second);
  std::vector<int32_t> next = pairsAt(1, 2, 4, 10);
  EXPECT_EQ(std::set<int32_t>(next.begin(), next.end()).size(), 4u);
  EXPECT_NE(next, pairsAt(1, 0, 4, 10));
}

TEST(SamplePairs, DependOnSeedAndEpochAlone) {
  EXPECT_EQ(pairsAt(3, 9, 16, 100), pairsAt(3, 9, 16, 100));
  EXPECT_NE(pairsAt(3, 9, 16, 100), pairsAt(4, 9, 16, 100));
  // The same place of the epoch in batches of another size.
  EXPECT_EQ(pairsAt(3, 1, 20, 100)[0], pairsAt(3, 2, 10, 100)[0]);
}

TEST(SamplePairs, FollowTheManifestsRoundFunction) {
  // 5 pairs: h = 2, since 4^1 < 5 <= 4^2. Written out once more, from the document.
  auto permute = [](uint32_t x) {
    uint32_t left = x / 4, right = x % 4;
    for (uint32_t round = 0; round < 6; ++round) {
      uint32_t word = philox({right, round, 2, 0}, {9, fnv1a32("pairs")})[0];
      uint32_t old = left;
      left = right;
      right = old ^ (word & 3);
    }
    return left * 4 + right;
  };
  for (uint32_t i = 0; i < 5; ++i) {
    uint32_t image = permute(i);
    while (image >= 5)
      image = permute(image);
    EXPECT_EQ(pairsAt(9, 10 + i, 1, 5)[0], static_cast<int32_t>(image)); // epoch 2
  }
}

TEST(SampleUniform, IsTheHighHalfOfAProduct) {
  std::vector<int32_t> rows(1000);
  for (int64_t total : {int64_t{1}, int64_t{63666}, int64_t{INT32_MAX}}) {
    uint64_t step = uint64_t{5} << 32 | 17;
    tower_rt_sample_uniform(1, fnv1a32("ssl/items"), step, 1000, total, rows.data());
    for (uint32_t i = 0; i < 1000; ++i) {
      PhiloxCounter words = philox({17, 5, i, 0}, {1, fnv1a32("ssl/items")});
      auto product = (words[0] + (static_cast<unsigned __int128>(words[1]) << 32)) * static_cast<uint64_t>(total);
      ASSERT_EQ(rows[i], static_cast<int32_t>(product >> 64));
      ASSERT_LT(rows[i], total);
    }
  }
}

TEST(FeatureMask, RandomMasksHaveTheirNumberAndAreEvenlySpread) {
  for (int64_t features : {3, 9, 100}) {
    std::vector<int> times(static_cast<size_t>(features), 0);
    int64_t masked = features / 2;
    for (uint64_t step = 0; step < 2000; ++step) {
      std::vector<uint8_t> mask = maskAt(step, features, masked, nullptr);
      ASSERT_EQ(std::count(mask.begin(), mask.end(), 1), masked);
      ASSERT_EQ(std::count(mask.begin(), mask.end(), 0), features - masked);
      for (size_t f = 0; f < mask.size(); ++f)
        times[f] += mask[f];
    }
    double expected = 2000.0 * static_cast<double>(masked) / static_cast<double>(features);
    for (int count : times)
      EXPECT_NEAR(count, expected, 150);
  }
}

TEST(FeatureMask, RandomMasksFollowFisherAndYates) {
  for (uint64_t step = 0; step < 50; ++step) {
    std::vector<int> left = {0, 1, 2, 3, 4};
    std::vector<uint8_t> expected(5, 0);
    for (uint32_t j = 0; j < 3; ++j) {
      uint64_t word = philox({static_cast<uint32_t>(step), 0, j, 0}, {1, fnv1a32("ssl/mask")})[0];
      std::swap(left[j], left[j + (word * (5 - j) >> 32)]);
      expected[static_cast<size_t>(left[j])] = 1;
    }
    EXPECT_EQ(maskAt(step, 5, 3, nullptr), expected);
  }
}

TEST(FeatureMask, CorrelatedMasksAreASeedAndThoseNextToIt) {
  const int32_t order[] = {2, 1, 3, /**/ 0, 3, 2, /**/ 3, 0, 1, /**/ 1, 0, 2};
  std::map<std::vector<uint8_t>, int> seen;
  for (uint64_t step = 0; step < 400; ++step) {
    uint32_t seed = static_cast<uint32_t>(
        uint64_t{philox({static_cast<uint32_t>(step), 0, 0, 0}, {1, fnv1a32("ssl/mask")})[0]} * 4 >> 32);
    std::vector<uint8_t> expected(4, 0);
    expected[seed] = expected[static_cast<size_t>(order[3 * seed])] =
        expected[static_cast<size_t>(order[3 * seed + 1])] = 1;
    std::vector<uint8_t> mask = maskAt(step, 4, 3, order);
    EXPECT_EQ(mask, expected);
    ++seen[mask];
  }
  EXPECT_GT(seen.size(), 1u);
}
