// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The thread pool: every piece once, whatever the number of threads.
#include "runtime/Pool.h"
#include "test/unit/StepWatch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <numeric>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace tower::rt;

namespace {

/// How often each piece of a call ran.
std::vector<int> timesRun(Pool &pool, int64_t pieces) {
  auto counts = std::make_unique<std::atomic<int>[]>(static_cast<size_t>(pieces) + 1);
  parallel(pool, pieces, [&](int64_t piece) { ++counts[static_cast<size_t>(piece)]; });
  return {counts.get(), counts.get() + pieces};
}

} // namespace

TEST(Pool, RunsEveryPieceOnce) {
  for (unsigned threads : {1u, 2u, 5u}) {
    Pool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int64_t pieces : {0, 1, 2, 3, 100, 10000})
      EXPECT_EQ(timesRun(pool, pieces), std::vector<int>(static_cast<size_t>(pieces), 1)) << threads;
  }
}

TEST(Pool, ManyShortCallsLoseNothing) {
  Pool pool(3);
  std::atomic<int64_t> sum{0};
  for (int call = 0; call < 20000; ++call)
    parallel(pool, 3, [&](int64_t piece) { sum.fetch_add(piece + 1, std::memory_order_relaxed); });
  EXPECT_EQ(sum, 20000 * 6);
}

// More threads than most machines have processors; JobBoardTest.cpp tries what is rare here.
TEST(Pool, JobsOfDifferentSizesDoNotMix) {
  Pool pool(4);
  for (int round = 0; round < 20000; ++round) {
    std::array<std::atomic<int>, 16> runs{};
    int64_t pieces = round % 2 ? 2 : 16;
    parallel(pool, pieces, [&](int64_t piece) { runs[piece].fetch_add(1, std::memory_order_relaxed); });
    for (int64_t piece = 0; piece < 16; ++piece)
      ASSERT_EQ(runs[piece].load(), piece < pieces ? 1 : 0) << "round " << round << ", piece " << piece;
  }
}

TEST(Pool, WorkersWakeAfterASleep) {
  Pool pool(2);
  for (int call = 0; call < 3; ++call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5)); // longer than workers spin
    EXPECT_EQ(timesRun(pool, 64), std::vector<int>(64, 1));
  }
}

// At the end of a program its workers may still be on their way from the last job.
TEST(Pool, EndsRightAfterAJob) {
  for (int round = 0; round < 2000; ++round) {
    Pool pool(2);
    parallel(pool, 2, [](int64_t) {});
  }
}

TEST(Pool, IdleWorkersDoNotSpinForLong) {
  Pool pool(4);
  EXPECT_EQ(timesRun(pool, 64), std::vector<int>(64, 1));
  auto used = [] {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  };
  double before = used();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(used() - before, 0.02); // 50 microseconds each, and whatever else the process does
}

TEST(Gate, CallsTheSystemOnlyToSleep) {
  auto exitCode = [](bool sleep) {
    pid_t child = fork();
    if (child == 0) {
      dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
      Gate<FutexSync> gate;
      if (!tower::test::forbidSystemCalls(false))
        _exit(4);
      for (uint32_t number = 1; number < 100; ++number) {
        gate.open(number); // nobody sleeps
        gate.waitWhile(number - 1);
      }
      if (sleep)
        gate.waitWhile(gate.number());
      _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  EXPECT_EQ(exitCode(false), 0);
  EXPECT_EQ(exitCode(true), 3);
}

TEST(Gate, SpinsForFiftyMicroseconds) {
  using Clock = std::chrono::steady_clock;
  std::atomic<uint32_t> word{7};
  Clock::duration shortest = Clock::duration::max(); // others are longer where the system took the processor away
  for (int turn = 0; turn < 200; ++turn) {
    Clock::time_point start = Clock::now();
    EXPECT_FALSE(FutexSync::changesSoon(word, 7));
    shortest = std::min(shortest, Clock::now() - start);
  }
  EXPECT_GE(shortest, std::chrono::microseconds(50));
  EXPECT_LT(shortest, std::chrono::microseconds(75));
  EXPECT_TRUE(FutexSync::changesSoon(word, 6));
}

TEST(Pool, ACallInsideAPieceRunsInPlace) {
  Pool pool(2);
  std::atomic<int> inner{0};
  parallel(pool, 8, [&](int64_t) { parallel(pool, 5, [&](int64_t) { ++inner; }); });
  EXPECT_EQ(inner, 40);
}

TEST(Pool, TwoThreadsMayCall) {
  Pool pool(2);
  std::atomic<int> runs{0};
  auto call = [&] {
    for (int i = 0; i < 2000; ++i)
      parallel(pool, 4, [&](int64_t) { ++runs; });
  };
  std::thread other(call);
  call();
  other.join();
  EXPECT_EQ(runs, 2 * 2000 * 4);
}

TEST(Pool, GeneratedCodeCallsItThroughC) {
  Pool pool(2);
  struct Frame {
    std::atomic<int64_t> sum{0};
  } frame;
  tower_rt_parallel(
      &pool, [](void *f, int64_t piece) { static_cast<Frame *>(f)->sum += piece; }, &frame, 101);
  EXPECT_EQ(frame.sum, 5050);
}
