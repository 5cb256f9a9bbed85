// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The simulated device sees what a kernel without its barriers does.
#include "test/gpu/Device.h"

#include <gtest/gtest.h>
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

TEST(DeviceTest, BarrierInVainIsSaid) {
  EXPECT_DEATH(run(mixed, {}, 1, 1), "kernel test, block 0: 31 of 32 threads wait at a barrier");
}

} // namespace
