// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The thread pool. A job is published by its number and its pieces in `ticket`; a thread takes a piece by lowering what
// is left in the same word. A job that is over has nothing left, so a late thread can never take a piece of it, nor of
// one whose fields it has not read. The caller waits for pieces, not for threads: one that sleeps through a short job
// delays nobody.
#include "runtime/Pool.h"

#include <chrono>

#include <sched.h>

namespace {

constexpr auto spinTime = std::chrono::microseconds(50);

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Waits until `value` differs from `old`: spins for a while, then sleeps in a futex.
void waitWhile(std::atomic<uint32_t> &value, uint32_t old) {
  auto end = std::chrono::steady_clock::now() + spinTime;
  do {
    for (int i = 0; i < 64; ++i) {
      if (value.load(std::memory_order_acquire) != old)
        return;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  value.wait(old, std::memory_order_acquire);
}

unsigned availableCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return static_cast<unsigned>(CPU_COUNT(&set));
  unsigned count = std::thread::hardware_concurrency();
  return count ? count : 1;
}

} // namespace

tower_rt::tower_rt(unsigned threads) {
  if (threads == 0)
    threads = availableCpus();
  workers.reserve(threads - 1);
  for (unsigned i = 1; i < threads; ++i)
    workers.emplace_back([this] { work(); });
}

tower_rt::~tower_rt() {
  stopping.store(true, std::memory_order_relaxed);
  posted.fetch_add(1, std::memory_order_release);
  posted.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void tower_rt::work() {
  uint32_t seen = 0;
  while (true) {
    waitWhile(posted, seen);
    if (stopping.load(std::memory_order_relaxed))
      return;
    seen = posted.load(std::memory_order_acquire);
    takePieces(seen);
  }
}

void tower_rt::takePieces(uint32_t job) {
  while (true) {
    uint64_t taken = ticket.load(std::memory_order_acquire);
    auto left = static_cast<uint32_t>(taken);
    uint32_t total = pieces.load(std::memory_order_relaxed);
    tower_body jobBody = body.load(std::memory_order_relaxed);
    void *jobFrame = frame.load(std::memory_order_relaxed);
    int64_t jobFirst = first.load(std::memory_order_relaxed);
    if (static_cast<uint32_t>(taken >> 32) != job || left == 0)
      return;
    // If this succeeds the job was not over when its fields were read, so they are its own.
    if (!ticket.compare_exchange_weak(taken, taken - 1, std::memory_order_acq_rel))
      continue;
    jobBody(jobFrame, jobFirst + (total - left));
    if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == total)
      done.notify_one();
  }
}

void tower_rt::runShared(tower_body newBody, void *newFrame, int64_t newFirst, uint32_t newPieces) {
  uint32_t job = posted.load(std::memory_order_relaxed) + 1;
  body.store(newBody, std::memory_order_relaxed);
  frame.store(newFrame, std::memory_order_relaxed);
  first.store(newFirst, std::memory_order_relaxed);
  pieces.store(newPieces, std::memory_order_relaxed);
  done.store(0, std::memory_order_relaxed);
  ticket.store(uint64_t{job} << 32 | newPieces, std::memory_order_release);
  posted.store(job, std::memory_order_release);
  posted.notify_all();
  takePieces(job);
  for (uint32_t now = done.load(std::memory_order_acquire); now != newPieces;
       now = done.load(std::memory_order_acquire))
    waitWhile(done, now);
}

void tower_rt::run(tower_body newBody, void *newFrame, int64_t count) {
  if (count <= 1 || workers.empty() || busy.exchange(true, std::memory_order_acquire)) {
    for (int64_t piece = 0; piece < count; ++piece)
      newBody(newFrame, piece);
    return;
  }
  constexpr int64_t most = int64_t{1} << 31;
  for (int64_t begin = 0; begin < count; begin += most)
    runShared(newBody, newFrame, begin, static_cast<uint32_t>(count - begin < most ? count - begin : most));
  busy.store(false, std::memory_order_release);
}

extern "C" void tower_rt_parallel(tower_rt *runtime, tower_body body, void *frame, int64_t pieces) {
  runtime->run(body, frame, pieces);
}
