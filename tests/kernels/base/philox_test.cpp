// The generator against the known answers that its authors publish with Random123 (kat_vectors, philox4x32 with 10
// rounds).

#include "kernels/base/philox.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace cudacards {
namespace {

std::vector<std::uint32_t> words(Random4 r) { return {r.v[0], r.v[1], r.v[2], r.v[3]}; }

TEST(Philox, GivesTheAuthorsKnownAnswers) {
  using Words = std::vector<std::uint32_t>;
  EXPECT_EQ(words(philox4x32_10(0, 0, 0, 0, 0, 0)), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(words(philox4x32_10(~0u, ~0u, ~0u, ~0u, ~0u, ~0u)),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(words(philox4x32_10(0xa4093822, 0x299f31d0, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344)),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, EveryPartOfTheProjectsNumberingMatters) {
  const auto of = [](std::uint64_t seed, RandomPurpose purpose, std::uint64_t step, std::uint32_t lane,
                     std::uint32_t quad) { return words(random4(seed, purpose, step, lane, quad)); };
  constexpr std::uint64_t kHigh = std::uint64_t{1} << 32;
  const std::set<std::vector<std::uint32_t>> all = {
      of(1, RandomPurpose::kDropout, 1, 1, 1),         of(2, RandomPurpose::kDropout, 1, 1, 1),
      of(1 + kHigh, RandomPurpose::kDropout, 1, 1, 1), of(1, RandomPurpose::kShuffle, 1, 1, 1),
      of(1, RandomPurpose::kDropout, 2, 1, 1),         of(1, RandomPurpose::kDropout, 1 + kHigh, 1, 1),
      of(1, RandomPurpose::kDropout, 1, 2, 1),         of(1, RandomPurpose::kDropout, 1, 1, 2)};
  EXPECT_EQ(all.size(), 8u);
}

TEST(Philox, UniformStaysBelowOne) {
  EXPECT_EQ(uniform01(0), 0.0f);
  EXPECT_EQ(uniform01(0x80000000u), 0.5f);
  EXPECT_LT(uniform01(~0u), 1.0f);
}

}  // namespace
}  // namespace cudacards
