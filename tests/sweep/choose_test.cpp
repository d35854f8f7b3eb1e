// Which row wins, given times.

#include "bench/sweep/choose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace cudacards::sweep {
namespace {

using ::testing::HasSubstr;

/// Three rows; the first experiment has a choice for each, in the second rows 1 and 2 come to the same.
Study three_rows() {
  return {
      .table = "kT",
      .header = "t.h",
      .rows = {".x = 1", ".x = 2", ".x = 3"},
      .experiments = {
          {.name = "one", .arrays = {}, .choices = {{"a", {}}, {"b", {}}, {"c", {}}}, .choice_of_row = {0, 1, 2}},
          {.name = "two", .arrays = {}, .choices = {{"d", {}}, {"e", {}}, {"extra", {}}}, .choice_of_row = {0, 1, 1}}}};
}
Timing took(double microseconds) { return {microseconds, ""}; }
Timing refused() { return {0, "wrong"}; }

TEST(LossOfRow, IsTheGeometricMeanAgainstTheBestOfEachExperiment) {
  const std::vector<Timings> timings = {{took(10), took(20), took(40)}, {took(9), took(3), took(1)}};
  EXPECT_DOUBLE_EQ(loss_of_row(three_rows(), timings, 0), std::sqrt(3.0));
  EXPECT_DOUBLE_EQ(loss_of_row(three_rows(), timings, 1), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(loss_of_row(three_rows(), timings, 2), 2.0)
      << "the extra choice, which no row comes to, is no rival";
}

TEST(Choose, TakesTheRowThatLosesLeast) {
  const Outcome outcome =
      choose(three_rows(), {{took(10), took(20), took(40)}, {took(90), took(3), took(1)}}, "a GPU", "2026-01-02");
  EXPECT_TRUE(outcome.is_decided);
  EXPECT_EQ(outcome.row, 1u);
  EXPECT_EQ(outcome.evidence,
            "a GPU, 2026-01-02, 2 problems: 41.4 % off the best of each on average (row before: 447.7 %); "
            "two: e 3.0 us, d 90.0 us");
}

TEST(Choose, KeepsTheRowInForceUnlessAnotherIsWorthIt) {
  const auto row_of = [](double first, double second) {
    return choose(three_rows(), {{took(first), took(second), took(200)}, {took(5), took(5), took(5)}}, "g", "d").row;
  };
  EXPECT_EQ(row_of(101, 100), 0u);
  EXPECT_EQ(row_of(110, 100), 1u);
}

TEST(Choose, ComparesChallengersWithEachOtherExactly) {
  EXPECT_EQ(choose(three_rows(), {{took(200), took(101), took(100)}, {took(5), took(5), took(5)}}, "g", "d").row, 2u);
}

TEST(Choose, LeavesOutRowsWithARefusedChoice) {
  const Outcome outcome =
      choose(three_rows(), {{took(10), refused(), took(1)}, {took(10), took(9), took(9)}}, "g", "d");
  EXPECT_EQ(outcome.row, 2u);
  const Outcome in_force_refused =
      choose(three_rows(), {{refused(), took(10), took(20)}, {took(10), took(9), took(9)}}, "g", "d");
  EXPECT_EQ(in_force_refused.row, 1u);
  EXPECT_THAT(in_force_refused.evidence, HasSubstr("row before: refused"));
}

TEST(Choose, DecidesNothingWithoutARowThatRuns) {
  const Outcome outcome =
      choose(three_rows(), {{refused(), refused(), refused()}, {took(10), took(9), took(9)}}, "g", "d");
  EXPECT_FALSE(outcome.is_decided);
  EXPECT_THAT(outcome.evidence, HasSubstr("refused"));
}

TEST(Choose, DecidesNothingWithoutExperiments) {
  const Outcome outcome = choose({.table = "kT", .header = "t.h", .rows = {".x = 1"}, .experiments = {}}, {}, "g", "d");
  EXPECT_FALSE(outcome.is_decided);
  EXPECT_THAT(outcome.evidence, HasSubstr("no problem of the models"));
}

}  // namespace
}  // namespace cudacards::sweep
