// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pool's protocol under thousands of interleavings: no piece is lost or run twice, no thread sleeps for ever.
#include "runtime/JobBoard.h"
#include "test/unit/Interleaving.h"

#include <gtest/gtest.h>

#include <array>

using namespace tower::rt;
using namespace tower::test;

namespace {

struct Job {
  uint32_t pieces;
  std::array<int, 8> runs{};
};

void countRun(void *frame, int64_t piece) {
  step();
  ++static_cast<Job *>(frame)->runs.at(static_cast<size_t>(piece));
}

} // namespace

// Jobs of different sizes follow one another at once. A thread that is late for one must not take a piece of the next;
// a thread that is about to sleep must not miss the next, nor the end.
TEST(JobBoard, EveryInterleavingRunsEachPieceOnceAndEnds) {
  constexpr int64_t first = 2;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    bool three = seed % 8 < 2;
    JobBoard<SteppedSync> board(three ? 3 : 2);
    std::array jobs{Job{2}, Job{3}, Job{1}};
    auto caller = [&] {
      for (Job &job : jobs) {
        board.run(countRun, &job, first, job.pieces);
        for (int64_t piece = 0; piece < 8; ++piece)
          EXPECT_EQ(job.runs[piece], piece >= first && piece < first + job.pieces) << "after its call, piece " << piece;
      }
      board.stop();
    };
    std::vector<std::function<void()>> threads{caller, [&] { board.work(1); }};
    if (three)
      threads.emplace_back([&] { board.work(2); });
    ASSERT_TRUE(interleave(seed, threads)) << "threads wait for ever; seed " << seed;
    for (const Job &job : jobs)
      for (int64_t piece = 0; piece < 8; ++piece)
        ASSERT_EQ(job.runs[piece], piece >= first && piece < first + job.pieces) << "seed " << seed;
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}
