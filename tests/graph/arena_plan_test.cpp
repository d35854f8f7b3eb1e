// The placement of blocks: never two at one place at one time, and no more memory than the busiest step makes
// plausible.

#include "host/graph/arena_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "host/runtime/buffer.h"
#include "tests/support/case_scope.h"

namespace cudacards {
namespace {

bool overlap(const MemoryBlock& a, const MemoryBlock& b) {
  const bool in_time = a.first <= b.last && b.first <= a.last;
  const bool in_space = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
  return in_time && in_space;
}

std::size_t busiest_step(const std::vector<MemoryBlock>& blocks) {
  std::size_t most = 0;
  for (const auto& at : blocks) {
    std::size_t sum = 0;
    for (const auto& block : blocks) {
      if (block.first <= at.first && at.first <= block.last) sum += align_up(block.bytes);
    }
    most = std::max(most, sum);
  }
  return most;
}

TEST(ArenaPlan, GivesBlocksThatNeverMeetTheSamePlace) {
  std::vector<MemoryBlock> blocks = {{100, 0, 1}, {50, 2, 3}, {100, 4, 5}};
  EXPECT_EQ(place_blocks(blocks), align_up(100));
  for (const auto& block : blocks) EXPECT_EQ(block.offset, 0u);
}

TEST(ArenaPlan, FillsAGapBetweenTwoLivingBlocks) {
  std::vector<MemoryBlock> blocks = {{640, 0, 9}, {512, 0, 3}, {256, 0, 9}, {128, 4, 6}};
  EXPECT_EQ(place_blocks(blocks), 640u + 512u + 256u);
  EXPECT_EQ(blocks[3].offset, 640u);  // where the second block was
}

TEST(ArenaPlan, TakesNothingForEmptyBlocks) {
  std::vector<MemoryBlock> blocks = {{0, 0, 9}, {0, 1, 2}};
  EXPECT_EQ(place_blocks(blocks), 0u);
}

TEST(ArenaPlan, KeepsLivingBlocksApartAndAligned) {
  for (const int trial : testing_support::numbered_cases(300)) {
    const testing_support::CaseScope scope(trial);
    std::mt19937 random(static_cast<unsigned>(trial));
    std::vector<MemoryBlock> blocks(1 + random() % 40);
    for (auto& block : blocks) {
      block.bytes = random() % 5000;
      block.first = static_cast<int>(random() % 30);
      block.last = block.first + static_cast<int>(random() % 12);
    }
    const std::size_t arena = place_blocks(blocks);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(blocks[i].offset % kAlignment, 0u);
      EXPECT_LE(blocks[i].offset + blocks[i].bytes, arena);
      for (std::size_t j = i + 1; j < blocks.size(); ++j) {
        ASSERT_FALSE(blocks[i].bytes > 0 && blocks[j].bytes > 0 && overlap(blocks[i], blocks[j]));
      }
    }
    EXPECT_LE(arena, 2 * busiest_step(blocks));
  }
}

}  // namespace
}  // namespace cudacards
