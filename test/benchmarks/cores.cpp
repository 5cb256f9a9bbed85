// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How long a word takes from one processor to another and back, in ns: about 100 where they share a cache, several
// times that where they do not. On a virtual machine it changes from minute to minute as its processors are moved, and
// a step on two threads with it.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <sched.h>
#include <thread>

namespace {

constexpr int kRounds = 50'000;
alignas(128) std::atomic<int> turn{0};

bool stayOn(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

/// Waits for `from`, answers, and so on, two higher each time.
void answer(int from) {
  for (int i = 0; i < kRounds; ++i) {
    while (turn.load(std::memory_order_acquire) != from + 2 * i)
      ;
    turn.store(from + 2 * i + 1, std::memory_order_release);
  }
}

} // namespace

int main() {
  std::atomic<bool> there{false}, placed{true};
  std::thread other([&] {
    placed = stayOn(1);
    there = true;
    if (placed)
      answer(1);
  });
  while (!there)
    std::this_thread::yield();
  if (!placed || !stayOn(0)) {
    std::fputs("error: this process may not run on processors 0 and 1\n", stderr);
    std::_Exit(1);
  }
  auto start = std::chrono::steady_clock::now();
  answer(0);
  other.join();
  std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
  std::printf("%.0f\n", time.count() / kRounds);
}
