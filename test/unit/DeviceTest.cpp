// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The simulated device sees what a kernel without its barriers does.
#include "test/gpu/Device.h"

#include <bit>
#include <gtest/gtest.h>
#include <numeric>
#include <set>
#include <vector>

using namespace tower::gpu_test;

namespace {

int64_t threadNumber() { return tower_device_place(TOWER_WARP) * 32 + tower_device_place(TOWER_LANE); }

/// Each thread gives its number to the thread opposite in the block.
template <bool kBarrier> void reverse(void *const *arguments) {
  auto *out = *static_cast<int32_t **>(arguments[0]);
  auto *shared = static_cast<int32_t *>(tower_device_shared(0, 64 * sizeof(int32_t)));
  int64_t me = threadNumber();
  shared[me] = static_cast<int32_t>(me);
  if (kBarrier)
    tower_device_barrier();
  out[tower_device_place(TOWER_BLOCK) * 64 + me] = shared[63 - me];
}

/// The sum of a warp's lanes, in all of them.
void sumOfWarp(void *const *arguments) {
  auto *out = *static_cast<int32_t **>(arguments[0]);
  auto value = static_cast<int32_t>(threadNumber());
  for (int32_t distance = 16; distance > 0; distance /= 2)
    value += tower_device_shuffle(value, static_cast<int32_t>(tower_device_place(TOWER_LANE)) ^ distance);
  out[threadNumber()] = value;
}

/// Half of a block waits for the other half, which is waiting for nobody: a barrier that some never reach is met by all
/// who still run, as on a device. Here both wait at different kinds of barriers.
void mixed(void *const *) {
  if (tower_device_place(TOWER_LANE) == 0)
    tower_device_sync_warp();
  else
    tower_device_barrier();
}

/// Each thread copies a number of its own and gives it to the thread opposite in the block.
template <bool kWait, bool kBarrier> void copyAndReverse(void *const *arguments) {
  static const std::vector<int32_t> numbers = [] {
    std::vector<int32_t> all(64);
    std::iota(all.begin(), all.end(), 0);
    return all;
  }();
  auto *out = *static_cast<int32_t **>(arguments[0]);
  auto *shared = static_cast<int32_t *>(tower_device_shared(0, 64 * sizeof(int32_t)));
  int64_t me = threadNumber();
  tower_device_copy(&shared[me], &numbers[me], sizeof(int32_t), sizeof(int32_t));
  tower_device_commit_copies();
  if (kWait)
    tower_device_wait_for_copies(0);
  if (kBarrier)
    tower_device_barrier();
  out[tower_device_place(TOWER_BLOCK) * 64 + me] = shared[63 - me];
}

/// Two groups of copies; only the first is waited for. Of four bytes two are copied.
void copyTwice(void *const *arguments) {
  static const int32_t number = 0x01020304;
  auto *out = *static_cast<int32_t **>(arguments[0]);
  auto *shared = static_cast<int32_t *>(tower_device_shared(0, 64 * sizeof(int32_t)));
  int64_t me = threadNumber();
  if (me >= 32)
    return;
  for (int64_t group : {0, 1}) {
    tower_device_copy(&shared[32 * group + me], &number, 4, 2);
    tower_device_commit_copies();
  }
  tower_device_wait_for_copies(1);
  for (int64_t group : {0, 1})
    out[32 * group + me] = shared[32 * group + me];
}

/// C = A B of one warp, of numbers that tf32 and bf16 have exactly, added to 1.
template <bool kBf16> void product(void *const *arguments) {
  constexpr int depth = kBf16 ? 16 : 8;
  auto *out = *static_cast<int32_t **>(arguments[0]);
  auto a = [](int i, int k) { return static_cast<float>((3 * i + 5 * k) % 7 - 3); };
  auto b = [](int k, int j) { return static_cast<float>((2 * k + 3 * j) % 5 - 1); };
  int lane = static_cast<int>(tower_device_place(TOWER_LANE)), g = lane / 4, t = lane % 4;
  int32_t *registers = tower_device_registers(10);
  auto set = [&](int r, int32_t word) { registers[32 * r] = word; };
  for (int r = 0; r < 4; ++r) {
    auto left = [&](int k) { return std::bit_cast<int32_t>(a(g + r % 2 * 8, k)); };
    set(r, kBf16 ? tower_device_to_bf16(left(2 * t + r / 2 * 8), left(2 * t + 1 + r / 2 * 8)) : left(t + r / 2 * 4));
    set(6 + r, std::bit_cast<int32_t>(1.F));
  }
  for (int r = 0; r < 2; ++r) {
    auto right = [&](int k) { return std::bit_cast<int32_t>(b(k, g)); };
    set(4 + r, kBf16 ? tower_device_to_bf16(right(2 * t + r * 8), right(2 * t + 1 + r * 8)) : right(t + r * 4));
  }
  static const int32_t steps[] = {0, 4, 6};
  tower_device_multiply(steps, 1, kBf16);
  int wrong = 0;
  for (int r = 0; r < 4; ++r) {
    int i = g + r / 2 * 8, j = 2 * t + r % 2;
    float expected = 1;
    for (int k = 0; k < depth; ++k)
      expected += a(i, k) * b(k, j);
    wrong += std::bit_cast<float>(registers[32 * (6 + r)]) != expected;
  }
  out[lane] = wrong;
}

/// Half of a warp multiplies.
void halfOfAProduct(void *const *) {
  static const int32_t steps[] = {0, 0, 0};
  tower_device_registers(4);
  if (tower_device_place(TOWER_LANE) < 16)
    tower_device_multiply(steps, 1, 0);
}

void copyOffItsPlace(void *const *) {
  alignas(16) static const int32_t numbers[8] = {};
  tower_device_copy(tower_device_shared(0, 64), numbers + 1, 16, 16);
}

std::vector<int32_t> run(tower_host_form form, Order order, int64_t blocks, int64_t warps) {
  std::vector<int32_t> out(blocks * warps * 32);
  int32_t *place = out.data();
  void *arguments[] = {&place};
  tower_kernel kernel = {"test", form};
  setOrder(order);
  launch(kernel, blocks, warps, arguments);
  setOrder({});
  return out;
}

TEST(DeviceTest, BarrierMakesOrderIrrelevant) {
  std::set<std::vector<int32_t>> results;
  for (uint64_t seed = 0; seed < 20; ++seed)
    results.insert(run(reverse<true>, seed, 2, 2));
  results.insert(run(reverse<true>, {}, 2, 2));
  ASSERT_EQ(results.size(), 1u);
  for (int32_t i = 0; i < 128; ++i)
    EXPECT_EQ((*results.begin())[i], 63 - i % 64);
}

TEST(DeviceTest, RemovedBarrierIsSeen) {
  std::set<std::vector<int32_t>> results;
  for (uint64_t seed = 0; seed < 20; ++seed)
    results.insert(run(reverse<false>, seed, 2, 2));
  EXPECT_GT(results.size(), 1u);
}

TEST(DeviceTest, LanesExchange) {
  for (Order order : {Order(), Order(3)}) {
    std::vector<int32_t> sums = run(sumOfWarp, order, 1, 2);
    for (int32_t i = 0; i < 64; ++i)
      EXPECT_EQ(sums[i], i < 32 ? 496 : 496 + 32 * 32);
  }
}

TEST(DeviceTest, CopiesAreThereAfterWaitAndBarrier) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<int32_t> found = run(copyAndReverse<true, true>, seed ? Order(seed) : Order(), 2, 2);
    for (int32_t i = 0; i < 128; ++i)
      EXPECT_EQ(found[i], 63 - i % 64);
  }
}

TEST(DeviceTest, CopyWithoutAWaitIsSeen) {
  std::vector<int32_t> found = run(copyAndReverse<false, true>, {}, 1, 2);
  for (int32_t number : found)
    EXPECT_EQ(number, -1);
}

TEST(DeviceTest, CopyWithoutABarrierIsSeen) {
  std::set<std::vector<int32_t>> results;
  for (uint64_t seed = 0; seed < 20; ++seed)
    results.insert(run(copyAndReverse<true, false>, seed, 1, 2));
  EXPECT_GT(results.size(), 1u);
}

TEST(DeviceTest, OlderGroupsOfCopiesAreWaitedFor) {
  std::vector<int32_t> found = run(copyTwice, {}, 1, 2);
  for (int32_t i = 0; i < 32; ++i) {
    EXPECT_EQ(found[i], 0x0304);
    EXPECT_EQ(found[32 + i], -1);
  }
}

TEST(DeviceTest, LanesMultiply) {
  for (Order order : {Order(), Order(5)}) {
    EXPECT_EQ(run(product<false>, order, 1, 1), std::vector<int32_t>(32, 0));
    EXPECT_EQ(run(product<true>, order, 1, 1), std::vector<int32_t>(32, 0));
  }
}

TEST(DeviceTest, MisuseIsSaid) {
  EXPECT_DEATH(run(halfOfAProduct, {}, 1, 1), "kernel test, block 0: a warp's lanes do not multiply together");
  EXPECT_DEATH(run(copyOffItsPlace, {}, 1, 1), "kernel test, block 0: a copy is not aligned");
}

TEST(DeviceTest, BarrierInVainIsSaid) {
  EXPECT_DEATH(run(mixed, {}, 1, 1), "kernel test, block 0: 31 of 32 threads wait at a barrier");
}

} // namespace
