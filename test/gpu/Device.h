// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A GPU on the CPU: runs host forms of kernels (test/gpu/HostForm.h), a block after the other, each thread a coroutine
// that stops where it waits for others. Threads and blocks run in rising order or in a random one; a kernel whose
// result depends on it lacks a barrier.
#ifndef TOWER_TEST_GPU_DEVICE_H
#define TOWER_TEST_GPU_DEVICE_H

#include "runtime/tower_abi.h"

#include <cstdint>
#include <optional>

namespace tower::gpu_test {

/// In which order what may run in any order runs; nothing: rising, with blocks at the same time.
using Order = std::optional<uint64_t>;

/// The order of this thread's launches from now on.
void setOrder(Order order);

/// Runs a grid to its end. Aborts with a message if threads wait for each other in vain, as at a barrier that some of a
/// block never reach.
void launch(const tower_kernel &kernel, int64_t blocks, int64_t warps, void *const *arguments);

} // namespace tower::gpu_test

extern "C" {

enum tower_device_number { TOWER_LANE, TOWER_WARP, TOWER_BLOCK, TOWER_BLOCKS };

/* What host forms call, in a thread of a kernel. */
int64_t tower_device_place(int64_t number);
void *tower_device_shared(int64_t number, int64_t bytes);
void tower_device_barrier();
void tower_device_sync_warp();
/* The value that lane `from` gives; its own where there is no such lane. */
int32_t tower_device_shuffle(int32_t value, int32_t from);

/* Begins to copy to shared memory: `valid` bytes, then zeros, `bytes` together. Until the thread has waited for the
   copy anything may be there. */
void tower_device_copy(void *to, const void *from, int64_t bytes, int64_t valid);
/* The copies since the last call are a group. */
void tower_device_commit_copies();
/* Waits for all groups but the last `groups` ones. */
void tower_device_wait_for_copies(int64_t groups);

/* Registers for the next products of a warp: number r of this lane is at [32 r]. */
int32_t *tower_device_registers(int64_t count);
/* Products on tensor cores, one after the other: steps[3 i ..] are the first registers of A, of B, and of the sums, to
   which A B is added. 16x8x16 of bf16, else 16x8x8 of tf32. */
void tower_device_multiply(const int32_t *steps, int64_t count, int64_t bf16);
/* Two f32 numbers, as their bits, rounded to bf16 in one register. */
int32_t tower_device_to_bf16(int32_t low, int32_t high);
}

#endif
