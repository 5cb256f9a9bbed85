// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the pool's threads agree on who runs which piece, and when they may sleep. A job's pieces are dealt out in runs
// of neighbours, the first run to the caller, and a thread that is through with its own takes from the end of
// another's. So a thread meets in each job the same rows, which its core's cache still holds: cores that share no cache
// lose a third of a step's time otherwise.
//
// What is left of a thread's run and the job's number are one word, and who takes a piece changes that word. A job that
// is over has nothing left, so a late thread can never take a piece of it, nor of one whose fields it has not read. The
// caller waits for pieces, not for threads: one that sleeps through a short job delays nobody.
//
// Whatever touches memory that threads share, or waits, goes through `Sync`: atomics and futexes in the pool, a
// scheduler of its own in the test that tries interleavings.
#ifndef TOWER_RUNTIME_JOBBOARD_H
#define TOWER_RUNTIME_JOBBOARD_H

#include "runtime/tower_abi.h"

#include <atomic>
#include <cstdint>
#include <vector>

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
  /// A run's first and last piece must fit in its word.
  static constexpr uint32_t kMostPieces = UINT16_MAX;

  /// `threads` counts the caller.
  explicit JobBoard(uint32_t threads) : runs(threads) {}

  uint32_t threads() const { return static_cast<uint32_t>(runs.size()); }

  /// Runs body(frame, first) ... body(frame, first + pieces - 1), at most kMostPieces, together with the workers;
  /// returns when all are done. One thread at a time may call it.
  void run(tower_body newBody, void *newFrame, int64_t newFirst, uint32_t newPieces) {
    uint32_t job = posted.number() + 1;
    body.store(newBody, std::memory_order_relaxed);
    frame.store(newFrame, std::memory_order_relaxed);
    first.store(newFirst, std::memory_order_relaxed);
    pieces.store(newPieces, std::memory_order_relaxed);
    done.store(0, std::memory_order_relaxed);
    auto bound = [&](uint64_t thread) { return static_cast<uint32_t>(newPieces * thread / runs.size()); };
    for (uint32_t thread = 0; thread < runs.size(); ++thread)
      runs[thread].left.store(Left{job, bound(thread), bound(thread + 1)}.word(), std::memory_order_release);
    posted.open(job);
    takePieces(job, 0);
    finished.waitWhile(job - 1);
  }

  /// What worker number `thread` (1 ... threads - 1) does until stop().
  void work(uint32_t thread) {
    uint32_t seen = 0;
    while (true) {
      posted.waitWhile(seen);
      // In this order: a worker that has seen the number which stop() posts must not wait for another.
      seen = posted.number();
      if (stopping.load(std::memory_order_acquire))
        return;
      takePieces(seen, thread);
    }
  }

  /// Ends work() in all workers. No job may be under way.
  void stop() {
    stopping.store(true, std::memory_order_release);
    posted.open(posted.number() + 1);
  }

private:
  /// Pieces [begin, end) of a job that nobody has taken yet.
  struct Left {
    uint32_t job, begin, end;

    static Left of(uint64_t word) {
      return {static_cast<uint32_t>(word >> 32), static_cast<uint32_t>(word >> 16) & UINT16_MAX,
              static_cast<uint32_t>(word) & UINT16_MAX};
    }
    uint64_t word() const { return uint64_t{job} << 32 | begin << 16 | end; }
  };

  struct Run {
    alignas(64) Atomic<uint64_t> left{0};
  };

  void takePieces(uint32_t job, uint32_t thread) {
    while (takePiece(job, runs[thread], /*own=*/true))
      ;
    for (size_t offset = 1; offset < runs.size(); ++offset)
      while (takePiece(job, runs[(thread + offset) % runs.size()], /*own=*/false))
        ;
  }

  /// Runs the next piece of a run; false if the job has none left there.
  bool takePiece(uint32_t job, Run &run, bool own) {
    uint64_t word = run.left.load(std::memory_order_acquire);
    while (true) {
      Left left = Left::of(word);
      uint32_t total = pieces.load(std::memory_order_relaxed);
      tower_body jobBody = body.load(std::memory_order_relaxed);
      void *jobFrame = frame.load(std::memory_order_relaxed);
      int64_t jobFirst = first.load(std::memory_order_relaxed);
      if (left.job != job || left.begin == left.end)
        return false;
      uint32_t piece = own ? left.begin : left.end - 1;
      Left rest = own ? Left{job, piece + 1, left.end} : Left{job, left.begin, piece};
      // If this succeeds the job was not over when its fields were read, so they are its own.
      if (!run.left.compare_exchange_weak(word, rest.word(), std::memory_order_acq_rel))
        continue;
      jobBody(jobFrame, jobFirst + piece);
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == total)
        finished.open(job);
      return true;
    }
  }

  // The job under way. A thread may use these only while a run shows the job's number and a piece that is left.
  Atomic<tower_body> body{nullptr};
  Atomic<void *> frame{nullptr};
  Atomic<int64_t> first{0};
  Atomic<uint32_t> pieces{0};

  std::vector<Run> runs;                // of each thread, the caller first
  alignas(64) Atomic<uint32_t> done{0}; // finished pieces of the job
  Gate<Sync> posted;                    // number of the newest job: what idle workers wait for
  Gate<Sync> finished;                  // number of the newest job that is done: what the caller waits for
  Atomic<bool> stopping{false};
};

} // namespace tower::rt
#endif
