// Curves go where their values say, and break where there is none.

#include "host/report/line_chart_svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace cudacards {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(LineChartSvg, EscapesItsWords) {
  const std::string svg = line_chart_svg({.title = "<&>", .series = {{"<script>", {1, 2}, {0, 1}}}});
  EXPECT_THAT(svg, HasSubstr("&lt;&amp;&gt;"));
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
}

// The frame is x 58 to 446 and y 62 to 230, from 0 at the bottom.
TEST(LineChartSvg, DrawsFromCornerToCorner) {
  EXPECT_THAT(line_chart_svg({.title = "t", .series = {{"a", {1, 3, 5}, {0, 2, 4}}}}),
              HasSubstr("d=\"M58.0 230.0L252.0 146.0L446.0 62.0\""));
}

TEST(LineChartSvg, StartsAtTheLowestValueWhereAsked) {
  const LineChart chart{.title = "t", .series = {{"a", {1, 2}, {6, 10}}}, .starts_at_zero = false};
  EXPECT_THAT(line_chart_svg(chart), HasSubstr("d=\"M58.0 230.0L446.0 62.0\""));
}

TEST(LineChartSvg, LeavesAGapWhereThereIsNoNumber) {
  const std::string svg = line_chart_svg({.title = "t", .series = {{"a", {1, 2, 3, 4}, {4, kNan, 4, 0}}}});
  EXPECT_THAT(svg, HasSubstr("M58.0 62.0h0M"));  // a value between gaps is a dot
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(LineChartSvg, SaysSoWhereThereIsNothing) {
  EXPECT_THAT(line_chart_svg({.title = "t"}), HasSubstr("no figures yet"));
  EXPECT_THAT(line_chart_svg({.title = "t", .series = {{"a", {1}, {kNan}}}}), HasSubstr("no figures yet"));
}

TEST(LineChartSvg, ShowsSharesAsPerCentUpToAll) {
  const std::string svg = line_chart_svg({.title = "t", .series = {{"a", {1, 2}, {0.2, 0.83}}}, .is_share = true});
  EXPECT_THAT(svg, HasSubstr(">100 %</text>"));
  EXPECT_THAT(svg, Not(HasSubstr(">120 %</text>")));
}

TEST(LineChartSvg, DrawsOneEpochAndEqualValues) {
  EXPECT_THAT(line_chart_svg({.title = "t", .series = {{"a", {1}, {3}}}}), HasSubstr("h0\""));
  EXPECT_THAT(line_chart_svg({.title = "t", .series = {{"a", {1, 2}, {0, 0}}}}), Not(HasSubstr("nan")));
}

TEST(LineChartSvg, TellsSeriesApart) {
  const std::string svg =
      line_chart_svg({.title = "t", .series = {{"training", {1, 2}, {1, 2}}, {"validation", {1, 2}, {2, 1}, true}}});
  EXPECT_THAT(svg, HasSubstr("stroke=\"#0072b2\""));
  EXPECT_THAT(svg, HasSubstr("stroke=\"#e69f00\""));
  EXPECT_THAT(svg, HasSubstr("stroke-dasharray=\"5 4\""));
}

}  // namespace
}  // namespace cudacards
