// The chart is well-formed whatever the labels are, and its bars are as long as their values say.

#include "host/report/bar_chart_svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cudacards {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(BarChartSvg, EscapesLabels) {
  const std::string svg = bar_chart_svg({.title = "<&>", .series = {"\"train\""}, .rows = {{"a<script>&'\n", {1}}}});
  EXPECT_THAT(svg, HasSubstr("&lt;&amp;&gt;"));
  EXPECT_THAT(svg, HasSubstr("&quot;train&quot;"));
  EXPECT_THAT(svg, HasSubstr("a&lt;script&gt;&amp;&#39; <"));
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
}

TEST(BarChartSvg, DrawsBarsInProportionAndStacksThem) {
  const std::string svg =
      bar_chart_svg({.title = "t", .series = {"train", "valid"}, .rows = {{"a", {100, 25}}, {"b", {50, 0}}}});
  EXPECT_THAT(svg, HasSubstr("width=\"416.0\""));  // 100 of 125 on 520
  EXPECT_THAT(svg, HasSubstr("width=\"104.0\""));
  EXPECT_THAT(svg, HasSubstr("width=\"208.0\""));
  EXPECT_THAT(svg, HasSubstr(">125</text>"));
}

TEST(BarChartSvg, FollowsThePagesColoursAndNeedsNothingElse) {
  const std::string svg = bar_chart_svg({.title = "t"});
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(svg, Not(HasSubstr("href")));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
}

}  // namespace
}  // namespace cudacards
