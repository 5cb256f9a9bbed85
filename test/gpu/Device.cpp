// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/gpu/Device.h"
#include "test/gpu/Products.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <boost/context/preallocated.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

namespace context = boost::context;

namespace {

constexpr int64_t kLanes = 32;
constexpr size_t kStack = size_t(1) << 15;

enum class Wait { None, Warp, Block, Done };

/// Stacks are made once: a kernel has thousands of threads.
class Stacks {
public:
  context::stack_context at(size_t number) {
    while (stacks.size() <= number)
      stacks.push_back(allocator.allocate());
    return stacks[number];
  }
  ~Stacks() {
    for (context::stack_context &stack : stacks)
      allocator.deallocate(stack);
  }

private:
  context::fixedsize_stack allocator{kStack};
  std::vector<context::stack_context> stacks;
};

/// A stack that its owner gives back.
struct Borrowed {
  static void deallocate(context::stack_context &) {}
};

/// A copy to shared memory that its thread has not waited for.
struct Copy {
  unsigned char *to;
  const unsigned char *from;
  size_t bytes, valid;
  int64_t group;

  void land() const {
    std::memcpy(to, from, valid);
    std::memset(to + valid, 0, bytes - valid);
  }
};

struct Thread {
  context::fiber fiber;
  Wait wait = Wait::None;
  /// Which half of the warp's values and registers is next: a lane writes to one while others still read the other.
  bool shuffles = false, multiplies = false;
  std::vector<Copy> copies;
  int64_t group = 0;
};

struct Warp {
  std::array<std::array<int32_t, kLanes>, 2> values{}; ///< What lanes give each other.
  std::array<std::vector<int32_t>, 2> registers;
  const int32_t *steps = nullptr; ///< What the lanes that wait multiply.
  int64_t waiting = 0, running = kLanes;
};

class Block {
public:
  Block(const tower_kernel &kernel, int64_t number, int64_t blocks, int64_t warps, void *const *arguments)
      : kernel(kernel), number(number), blocks(blocks), threads(warps * kLanes), warps(warps), arguments(arguments),
        running(warps * kLanes) {}

  void run(Stacks &stacks, std::mt19937_64 *chance) {
    random = chance;
    for (size_t i = 0; i < threads.size(); ++i) {
      context::stack_context stack = stacks.at(i);
      context::preallocated memory(stack.sp, stack.size, stack);
      threads[i].fiber = context::fiber(std::allocator_arg, memory, Borrowed(), [this, i](context::fiber &&outside) {
        back = std::move(outside);
        kernel.host_form(arguments);
        finish(threads[i], warps[i / kLanes]);
        return std::move(back);
      });
    }
    std::vector<size_t> order(threads.size());
    std::iota(order.begin(), order.end(), 0);
    while (running > 0) {
      if (random)
        std::shuffle(order.begin(), order.end(), *random);
      bool any = false;
      for (size_t i : order) {
        if (threads[i].wait != Wait::None)
          continue;
        any = true;
        current = i;
        threads[i].fiber = std::move(threads[i].fiber).resume();
      }
      if (!any)
        stuck();
    }
  }

  /// `steps`: what all lanes of the warp multiply while they wait, or null.
  void wait(Wait what, const int32_t *steps = nullptr) {
    Thread &thread = threads[current];
    Warp &warp = warps[current / kLanes];
    if (what == Wait::Warp && warp.waiting > 0 && warp.steps != steps)
      notTogether();
    warp.steps = what == Wait::Warp ? steps : warp.steps;
    thread.wait = what;
    if (what == Wait::Warp)
      ++warp.waiting;
    else
      ++waiting;
    release(warp, current / kLanes);
    back = std::move(back).resume();
  }

  int32_t shuffle(int32_t value, int32_t from) {
    size_t me = current, other = from < 0 || from >= kLanes ? me % kLanes : static_cast<size_t>(from);
    auto &values = warps[me / kLanes].values[threads[me].shuffles ^= true];
    values[me % kLanes] = value;
    wait(Wait::Warp);
    // Nobody gives the value after the next before all have this one.
    return values[other];
  }

  int32_t *registers(int64_t count) {
    auto &registers = warps[current / kLanes].registers[threads[current].multiplies];
    registers.resize(std::max<size_t>(registers.size(), count * kLanes));
    return registers.data() + current % kLanes;
  }

  void multiply(const int32_t *steps, int64_t count, bool bf16) {
    Warp &warp = warps[current / kLanes];
    if (warp.running != kLanes)
      notTogether();
    if (warp.waiting + 1 == kLanes)
      tower::gpu_test::multiply(warp.registers[threads[current].multiplies].data(), steps, count, bf16);
    threads[current].multiplies ^= true;
    wait(Wait::Warp, steps);
  }

  void copy(void *to, const void *from, size_t bytes, size_t valid) {
    Thread &thread = threads[current];
    Copy copy{static_cast<unsigned char *>(to), static_cast<const unsigned char *>(from), bytes, valid, thread.group};
    if (reinterpret_cast<uintptr_t>(to) % bytes || (valid && reinterpret_cast<uintptr_t>(from) % bytes))
      fail("a copy is not aligned");
    // What was there goes at once, what will be there comes at the end, or at any time.
    std::memset(to, 0xFF, bytes);
    if (random && (*random)() % 2)
      copy.land();
    else
      thread.copies.push_back(copy);
  }

  void commit() { ++threads[current].group; }

  void waitForCopies(int64_t groups) {
    Thread &thread = threads[current];
    std::erase_if(thread.copies, [&](const Copy &copy) {
      bool complete = copy.group < thread.group - groups;
      if (complete)
        copy.land();
      return complete;
    });
  }

  void *shared(int64_t index, int64_t bytes) {
    if (buffers.size() <= static_cast<size_t>(index))
      buffers.resize(index + 1);
    if (!buffers[index]) {
      // A float's NaN: what nobody wrote is seen.
      buffers[index] = std::make_unique<unsigned char[]>(bytes + 64);
      std::fill_n(buffers[index].get(), bytes + 64, 0xFF);
    }
    auto address = reinterpret_cast<uintptr_t>(buffers[index].get());
    return reinterpret_cast<void *>((address + 63) / 64 * 64);
  }

  int64_t place(int64_t what) const {
    switch (what) {
    case TOWER_LANE:
      return static_cast<int64_t>(current) % kLanes;
    case TOWER_WARP:
      return static_cast<int64_t>(current) / kLanes;
    case TOWER_BLOCK:
      return number;
    default:
      return blocks;
    }
  }

private:
  void finish(Thread &thread, Warp &warp) {
    if (warp.steps)
      notTogether();
    thread.wait = Wait::Done;
    --running;
    --warp.running;
    release(warp, &warp - warps.data());
  }

  /// Lets threads go on when the last one that they wait for has come.
  void release(Warp &warp, size_t index) {
    if (warp.waiting > 0 && warp.waiting == warp.running) {
      warp.waiting = 0;
      warp.steps = nullptr;
      for (size_t i = index * kLanes; i < (index + 1) * kLanes; ++i)
        if (threads[i].wait == Wait::Warp)
          threads[i].wait = Wait::None;
    }
    if (waiting > 0 && waiting == running) {
      waiting = 0;
      for (Thread &thread : threads)
        if (thread.wait == Wait::Block)
          thread.wait = Wait::None;
    }
  }

  [[noreturn]] void fail(const char *what) const {
    std::fprintf(stderr, "kernel %s, block %lld: %s\n", kernel.name, static_cast<long long>(number), what);
    std::abort();
  }

  [[noreturn]] void notTogether() const { fail("a warp's lanes do not multiply together"); }

  [[noreturn]] void stuck() const {
    std::fprintf(stderr, "kernel %s, block %lld: %lld of %lld threads wait at a barrier that the others never reach\n",
                 kernel.name, static_cast<long long>(number), static_cast<long long>(waiting),
                 static_cast<long long>(running));
    std::abort();
  }

  const tower_kernel &kernel;
  int64_t number, blocks;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  void *const *arguments;
  int64_t running, waiting = 0;
  size_t current = 0;
  std::mt19937_64 *random = nullptr; ///< Null: all in order.
  context::fiber back;
  std::vector<std::unique_ptr<unsigned char[]>> buffers;
};

thread_local Block *active = nullptr;
thread_local std::optional<std::mt19937_64> shuffling;

} // namespace

void tower::gpu_test::setOrder(Order order) {
  shuffling.reset();
  if (order)
    shuffling.emplace(*order);
}

void tower::gpu_test::launch(const tower_kernel &kernel, int64_t blocks, int64_t warps, void *const *arguments) {
  std::vector<int64_t> order(blocks);
  std::iota(order.begin(), order.end(), 0);
  if (shuffling)
    std::shuffle(order.begin(), order.end(), *shuffling);
  std::atomic<int64_t> next = 0;
  auto work = [&, random = shuffling ? &*shuffling : nullptr] {
    static thread_local Stacks stacks;
    for (int64_t i = next++; i < blocks; i = next++) {
      Block block(kernel, order[i], blocks, warps, arguments);
      active = &block;
      block.run(stacks, random);
    }
    active = nullptr;
  };
  // A random order is one that a seed repeats, so one thread has it.
  int64_t most = shuffling ? 1 : std::min<int64_t>(std::thread::hardware_concurrency(), blocks);
  std::vector<std::jthread> others;
  for (int64_t i = 1; i < most; ++i)
    others.emplace_back(work);
  work();
}

int64_t tower_device_place(int64_t number) { return active->place(number); }
void *tower_device_shared(int64_t number, int64_t bytes) { return active->shared(number, bytes); }
void tower_device_barrier() { active->wait(Wait::Block); }
void tower_device_sync_warp() { active->wait(Wait::Warp); }
int32_t tower_device_shuffle(int32_t value, int32_t from) { return active->shuffle(value, from); }
void tower_device_copy(void *to, const void *from, int64_t bytes, int64_t valid) {
  active->copy(to, from, bytes, valid);
}
void tower_device_commit_copies() { active->commit(); }
void tower_device_wait_for_copies(int64_t groups) { active->waitForCopies(groups); }
int32_t *tower_device_registers(int64_t count) { return active->registers(count); }
void tower_device_multiply(const int32_t *steps, int64_t count, int64_t bf16) {
  active->multiply(steps, count, bf16 != 0);
}
int32_t tower_device_to_bf16(int32_t low, int32_t high) {
  return tower::gpu_test::toBf16(std::bit_cast<float>(low), std::bit_cast<float>(high));
}
