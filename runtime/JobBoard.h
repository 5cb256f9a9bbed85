// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the pool's threads agree on who runs which piece, and when they may sleep. A job is published by its number and
// its pieces in `ticket`; a thread takes a piece by lowering what is left in the same word. A job that is over has
// nothing left, so a late thread can never take a piece of it, nor of one whose fields it has not read. The caller
// waits for pieces, not for threads: one that sleeps through a short job delays nobody.
//
// Whatever touches memory that threads share, or waits, goes through `Sync`: atomics and futexes in the pool, a
// scheduler of its own in the test that tries interleavings.
#ifndef TOWER_RUNTIME_JOBBOARD_H
#define TOWER_RUNTIME_JOBBOARD_H

#include "runtime/tower_abi.h"

#include <atomic>
#include <cstdint>

namespace tower::rt {

/// A number that threads wait to see change. Sync::changesSoon(word, old) spins for a while; Sync::sleepWhile(word,
/// old) sleeps unless the word differs already, and may wake early; Sync::wakeAll(word) wakes all.
template <class Sync> class Gate {
  using Word = typename Sync::template Atomic<uint32_t>;

public:
  uint32_t number() const { return word.load(std::memory_order_acquire); }

  void open(uint32_t number) {
    // In one order with what a sleeper does: either it is seen here, or it sees the number before it sleeps.
    word.store(number, std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_seq_cst) != 0)
      Sync::wakeAll(word);
  }

  void waitWhile(uint32_t old) {
    if (Sync::changesSoon(word, old))
      return;
    sleepers.fetch_add(1, std::memory_order_seq_cst);
    while (word.load(std::memory_order_acquire) == old)
      Sync::sleepWhile(word, old);
    sleepers.fetch_sub(1, std::memory_order_relaxed);
  }

private:
  alignas(64) Word word{0};
  Word sleepers{0};
};

template <class Sync> class JobBoard {
  template <class T> using Atomic = typename Sync::template Atomic<T>;

public:
  /// Runs body(frame, first) ... body(frame, first + pieces - 1) together with the workers; returns when all are done.
  /// One thread at a time may call it.
  void run(tower_body newBody, void *newFrame, int64_t newFirst, uint32_t newPieces) {
    uint32_t job = posted.number() + 1;
    body.store(newBody, std::memory_order_relaxed);
    frame.store(newFrame, std::memory_order_relaxed);
    first.store(newFirst, std::memory_order_relaxed);
    pieces.store(newPieces, std::memory_order_relaxed);
    done.store(0, std::memory_order_relaxed);
    ticket.store(uint64_t{job} << 32 | newPieces, std::memory_order_release);
    posted.open(job);
    takePieces(job);
    finished.waitWhile(job - 1);
  }

  /// What a worker does until stop().
  void work() {
    uint32_t seen = 0;
    while (true) {
      posted.waitWhile(seen);
      // In this order: a worker that has seen the number which stop() posts must not wait for another.
      seen = posted.number();
      if (stopping.load(std::memory_order_acquire))
        return;
      takePieces(seen);
    }
  }

  /// Ends work() in all workers. No job may be under way.
  void stop() {
    stopping.store(true, std::memory_order_release);
    posted.open(posted.number() + 1);
  }

private:
  void takePieces(uint32_t job) {
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
        finished.open(job);
    }
  }

  // The job under way. A thread may use these only while `ticket` shows the job's number and a piece that is left.
  Atomic<tower_body> body{nullptr};
  Atomic<void *> frame{nullptr};
  Atomic<int64_t> first{0};
  Atomic<uint32_t> pieces{0};

  alignas(64) Atomic<uint64_t> ticket{0}; // number of the job << 32 | pieces left to take
  alignas(64) Atomic<uint32_t> done{0};   // finished pieces of the job
  Gate<Sync> posted;                      // number of the newest job: what idle workers wait for
  Gate<Sync> finished;                    // number of the newest job that is done: what the caller waits for
  Atomic<bool> stopping{false};
};

} // namespace tower::rt
#endif
