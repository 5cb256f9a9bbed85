// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the pool waits: 50 microseconds of spinning, in which work that arrives costs no system call, then a futex.
#ifndef TOWER_RUNTIME_FUTEX_H
#define TOWER_RUNTIME_FUTEX_H

#include <atomic>
#include <cstdint>

namespace tower::rt {

/// The Sync of JobBoard.h. Not std::atomic::wait, which yields the processor, with a system call, before it sleeps.
struct FutexSync {
  template <class T> using Atomic = std::atomic<T>;

  static bool changesSoon(const std::atomic<uint32_t> &word, uint32_t old);
  static void sleepWhile(std::atomic<uint32_t> &word, uint32_t old);
  static void wakeAll(std::atomic<uint32_t> &word);
};

} // namespace tower::rt
#endif
