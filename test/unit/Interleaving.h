// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tries interleavings of threads: one runs at a time, and at every access to shared memory the next to run is drawn
// from a seed. What happens once in a billion calls on real processors happens in one run of a hundred here, and again
// with the same seed. Memory orders are not tried: every access is seen by all at once.
#ifndef TOWER_TEST_UNIT_INTERLEAVING_H
#define TOWER_TEST_UNIT_INTERLEAVING_H

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace tower::test {

/// Runs each function on a thread of its own until all have ended. False if all that have not ended sleep, or if they
/// take very many steps: they are then ended by an exception.
bool interleave(uint64_t seed, const std::vector<std::function<void()>> &functions);

/// A thread lets another one run here, maybe.
void step();
/// It sleeps until wakeAll() with the same place.
void sleepOn(const void *place);
void wakeAll(const void *place);

/// An atomic whose every access is a step.
template <class T> class SteppedAtomic {
public:
  SteppedAtomic(T value) : value(value) {}
  T load(std::memory_order) const { return step(), value; }
  void store(T next, std::memory_order) { step(), value = next; }
  T fetch_add(T more, std::memory_order) {
    step();
    return std::exchange(value, value + more);
  }
  T fetch_sub(T less, std::memory_order) {
    step();
    return std::exchange(value, value - less);
  }
  bool compare_exchange_weak(T &expected, T next, std::memory_order) {
    step();
    bool same = value == expected;
    (same ? value : expected) = same ? next : value;
    return same;
  }

private:
  T value;
};

/// The Sync of runtime/JobBoard.h.
struct SteppedSync {
  template <class T> using Atomic = SteppedAtomic<T>;
  static bool changesSoon(const Atomic<uint32_t> &word, uint32_t old) {
    return word.load(std::memory_order_acquire) != old;
  }
  static void sleepWhile(Atomic<uint32_t> &word, uint32_t old) {
    if (word.load(std::memory_order_acquire) == old)
      sleepOn(&word); // no step between the two: a futex compares and sleeps at once
  }
  static void wakeAll(Atomic<uint32_t> &word) {
    step();
    test::wakeAll(&word);
  }
};

} // namespace tower::test
#endif
