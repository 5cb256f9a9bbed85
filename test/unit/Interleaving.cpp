// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scheduler: threads that wait for their turn.
#include "test/unit/Interleaving.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

using namespace tower;

namespace {

constexpr int64_t mostSteps = 100000;

/// Thrown in all threads of a run that cannot end.
struct Stuck {};

struct Thread {
  bool over = false;
  const void *asleepOn = nullptr;
  std::condition_variable turn;
};

struct Run {
  std::mutex mutex;
  std::deque<Thread> threads;
  size_t running = 0;
  std::mt19937_64 random;
  uint64_t stay; // steps for which the same thread goes on, on average
  int64_t steps = 0;
  bool stuck = false;

  /// Runs of odd seeds change threads often; in others one goes on for long while the rest lies where it happens to be.
  explicit Run(uint64_t seed, size_t count) : threads(count), random(seed), stay(seed % 2 ? 1 : 30) {}

  /// Draws the thread to run next. If none can, the run is stuck, unless all are over.
  void draw() {
    if (++steps <= mostSteps && !stuck && !threads[running].over && !threads[running].asleepOn &&
        random() % (stay + 1) != 0)
      return;
    std::vector<size_t> ready;
    bool anyLeft = false;
    for (size_t i = 0; i < threads.size(); ++i) {
      anyLeft |= !threads[i].over;
      if (!threads[i].over && !threads[i].asleepOn)
        ready.push_back(i);
    }
    stuck |= (anyLeft && ready.empty()) || steps > mostSteps;
    if (!ready.empty())
      running = ready[random() % ready.size()];
    if (!stuck && !ready.empty())
      threads[running].turn.notify_one();
    for (Thread &thread : threads)
      if (stuck)
        thread.turn.notify_one();
  }

  void waitForTurn(std::unique_lock<std::mutex> &lock, size_t self) {
    threads[self].turn.wait(lock, [&] { return stuck || running == self; });
    if (stuck)
      throw Stuck{};
  }
};

Run *run = nullptr;
thread_local size_t self = 0;
thread_local bool scheduled = false;

} // namespace

bool test::interleave(uint64_t seed, const std::vector<std::function<void()>> &functions) {
  Run here(seed, functions.size());
  run = &here;
  here.running = here.random() % functions.size();
  std::vector<std::thread> threads;
  for (size_t i = 0; i < functions.size(); ++i)
    threads.emplace_back([&here, i, function = functions[i]] {
      self = i;
      scheduled = true;
      try {
        std::unique_lock lock(here.mutex);
        here.waitForTurn(lock, i);
        lock.unlock();
        function();
      } catch (const Stuck &) {
      }
      std::lock_guard lock(here.mutex);
      here.threads[i].over = true;
      here.draw();
    });
  for (std::thread &thread : threads)
    thread.join();
  return !here.stuck;
}

void test::step() {
  if (!scheduled)
    return;
  std::unique_lock lock(run->mutex);
  run->draw();
  run->waitForTurn(lock, self);
}

void test::sleepOn(const void *place) {
  std::unique_lock lock(run->mutex);
  run->threads[self].asleepOn = place;
  run->draw();
  run->waitForTurn(lock, self);
}

void test::wakeAll(const void *place) {
  std::lock_guard lock(run->mutex);
  for (Thread &thread : run->threads)
    if (thread.asleepOn == place)
      thread.asleepOn = nullptr;
}
