// A row of a tuning table written into its header.

#include "bench/sweep/header.h"

#include <gtest/gtest.h>

#include "tests/support/error_text.h"

namespace cudacards::sweep {
namespace {

using testing_support::error_text;

const std::string kHeader = R"(#pragma once
// Other.
inline constexpr Other kOther[] = {
    {.arch = {9, 0}, .x = 1, .evidence = kNotMeasured},
};
// clang-format off
inline constexpr Thing kThing[] = {
    {.arch = {8, 0}, .x = 1, .y = 2, .evidence = kNotMeasured},
    {.arch = {9, 0}, .x = 3, .y = 4,
     .evidence = "an older GPU, "
                 "long ago"},
};
// clang-format on
constexpr int kBehind = 1;
)";
const std::string kRow = "    {.arch = {9, 0}, .x = 5, .y = 6,\n     .evidence = \"now\"},\n";

TEST(TuningHeader, ReplacesTheRowOfTheArchitectureAndNothingElse) {
  EXPECT_EQ(with_row(kHeader, "kThing", {9, 0}, kRow), R"(#pragma once
// Other.
inline constexpr Other kOther[] = {
    {.arch = {9, 0}, .x = 1, .evidence = kNotMeasured},
};
// clang-format off
inline constexpr Thing kThing[] = {
    {.arch = {8, 0}, .x = 1, .y = 2, .evidence = kNotMeasured},
    {.arch = {9, 0}, .x = 5, .y = 6,
     .evidence = "now"},
};
// clang-format on
constexpr int kBehind = 1;
)");
}

TEST(TuningHeader, PutsANewRowInItsPlace) {
  const std::string eight_nine = "    {.arch = {8, 9}, .evidence = \"a\"},\n",
                    ten = "    {.arch = {10, 0}, .evidence = \"b\"},\n",
                    seven = "    {.arch = {7, 0}, .evidence = \"c\"},\n";
  const std::string all = with_row(with_row(with_row(kHeader, "kThing", {8, 9}, eight_nine), "kThing", {10, 0}, ten),
                                   "kThing", {7, 0}, seven);
  const std::size_t table = all.find("kThing[]");
  std::size_t last = table;
  for (const char* arch : {"{7, 0}", "{8, 0}", "{8, 9}", "{9, 0}", "{10, 0}"}) {
    const std::size_t at = all.find(arch, table);
    ASSERT_NE(at, std::string::npos) << arch;
    EXPECT_GT(at, last) << arch;
    last = at;
  }
  EXPECT_EQ(all.size(), kHeader.size() + eight_nine.size() + ten.size() + seven.size());
}

TEST(TuningHeader, IsTheSameAfterTheSameRowOnceMore) {
  const std::string once = with_row(kHeader, "kThing", {9, 0}, kRow);
  EXPECT_EQ(with_row(once, "kThing", {9, 0}, kRow), once);
}

TEST(TuningHeader, MustHaveTheTable) {
  EXPECT_EQ(error_text([] {
              with_row(kHeader, "kNothing", {9, 0}, kRow);
            }),
            "no table kNothing with rows of architectures");
  EXPECT_EQ(error_text([] {
              with_row("inline constexpr Thing kThing[] = {\n", "kThing", {9, 0}, kRow);
            }),
            "no table kThing with rows of architectures");
}

TEST(TuningRow, BreaksLongEvidenceBetweenWordsAndEscapesQuotes) {
  std::string evidence = "a \"quoted\" GPU:";
  for (int i = 0; i < 40; ++i) evidence += " word" + std::to_string(i);
  const std::string row = row_text({9, 0}, ".x = 1", evidence);
  EXPECT_TRUE(row.starts_with("    {.arch = {9, 0}, .x = 1,\n     .evidence = \"a \\\"quoted\\\" GPU: word0")) << row;
  EXPECT_TRUE(row.ends_with(" word39\"},\n")) << row;
  std::string joined;
  for (std::size_t at = 0, end; at < row.size(); at = end + 1) {
    end = row.find('\n', at);
    EXPECT_LE(end - at, 120u) << row.substr(at, end - at);
    if (at == 0) continue;
    const std::string line = row.substr(at, end - at);
    const std::size_t open = line.find('"'), close = line.rfind('"');
    joined += line.substr(open + 1, close - open - 1);
  }
  std::string escaped = evidence;
  for (std::size_t at = 0; (at = escaped.find('"', at)) != std::string::npos; at += 2) escaped.insert(at, "\\");
  EXPECT_EQ(joined, escaped);
}

}  // namespace
}  // namespace cudacards::sweep
