// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Offsets of buffers: no two that are in use at once overlap, and memory is used again.
#include "passes/PlanMemory.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <random>
#include <vector>

using namespace tower;

namespace {

bool overlap(const PlannedBuffer &a, const PlannedBuffer &b) {
  bool inTime = a.first <= b.last && b.first <= a.last;
  return inTime && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

} // namespace

TEST(PlanMemory, NothingTakesNoBytes) { EXPECT_EQ(assignOffsets({}), 0); }

TEST(PlanMemory, BuffersOneAfterTheOtherSharePlace) {
  std::vector<PlannedBuffer> buffers = {{100, 0, 1, 0}, {100, 2, 3, 0}, {60, 4, 9, 0}};
  EXPECT_EQ(assignOffsets(buffers), 128);
  for (const PlannedBuffer &buffer : buffers)
    EXPECT_EQ(buffer.offset, 0);
}

TEST(PlanMemory, ABufferReadByTheOpThatWritesAnotherKeepsItsPlace) {
  std::vector<PlannedBuffer> buffers = {{64, 0, 1, 0}, {64, 1, 2, 0}};
  EXPECT_EQ(assignOffsets(buffers), 128);
  EXPECT_NE(buffers[0].offset, buffers[1].offset);
}

TEST(PlanMemory, ASmallBufferFillsAGap) {
  // The large ones are in use together; between them and in time there is room for the small one at the bottom.
  std::vector<PlannedBuffer> buffers = {{1024, 0, 1, 0}, {2048, 0, 9, 0}, {512, 2, 9, 0}};
  EXPECT_EQ(assignOffsets(buffers), 1024 + 2048);
  EXPECT_EQ(buffers[2].offset, buffers[0].offset);
}

TEST(PlanMemory, OffsetsAreAligned) {
  std::vector<PlannedBuffer> buffers = {{1, 0, 5, 0}, {65, 0, 5, 0}, {3, 0, 5, 0}};
  EXPECT_EQ(assignOffsets(buffers), 64 + 128 + 64);
  for (const PlannedBuffer &buffer : buffers)
    EXPECT_EQ(buffer.offset % kBufferAlignment, 0);
}

TEST(PlanMemory, RandomBuffersNeverOverlapAndStayInTheArena) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<PlannedBuffer> buffers(60);
    for (PlannedBuffer &buffer : buffers) {
      buffer.bytes = static_cast<int64_t>(1 + random() % 5000);
      buffer.first = static_cast<int64_t>(random() % 40);
      buffer.last = buffer.first + static_cast<int64_t>(random() % 10);
    }
    int64_t total = assignOffsets(buffers), separate = 0;
    for (size_t i = 0; i < buffers.size(); ++i) {
      separate += buffers[i].bytes;
      EXPECT_LE(buffers[i].offset + buffers[i].bytes, total);
      for (size_t j = 0; j < i; ++j)
        ASSERT_FALSE(overlap(buffers[i], buffers[j])) << "buffers " << i << " and " << j << " of round " << round;
    }
    EXPECT_LT(total, separate) << "no memory was used again";
  }
}
