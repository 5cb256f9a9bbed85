// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Spinning, and the system call.
#include "runtime/Futex.h"

#include <chrono>
#include <climits>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace tower::rt;

namespace {

constexpr auto spinTime = std::chrono::microseconds(50);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

long futex(std::atomic<uint32_t> &word, int operation, uint32_t value) {
  static_assert(sizeof(word) == sizeof(uint32_t), "the system reads the number itself");
  return ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

} // namespace

bool FutexSync::changesSoon(const std::atomic<uint32_t> &word, uint32_t old) {
  auto end = std::chrono::steady_clock::now() + spinTime;
  do {
    for (int i = 0; i < 64; ++i) {
      if (word.load(std::memory_order_acquire) != old)
        return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// Failure is no matter: the number has changed, or a signal came, and the caller looks again.
void FutexSync::sleepWhile(std::atomic<uint32_t> &word, uint32_t old) { futex(word, FUTEX_WAIT_PRIVATE, old); }

void FutexSync::wakeAll(std::atomic<uint32_t> &word) { futex(word, FUTEX_WAKE_PRIVATE, INT_MAX); }
