#include "host/report/bar_chart_svg.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "host/report/markup.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

// Sizes in SVG user units, which a browser shows as pixels. Glyph width is a mean of sans-serif fonts at 12 units.
constexpr int kRowHeight = 18, kBarHeight = 12, kTop = 76, kBottom = 34, kBarWidth = 520, kMargin = 16;
constexpr double kGlyphWidth = 6.7;

double sum(const BarChart::Row& row) { return std::accumulate(row.values.begin(), row.values.end(), 0.0); }

class Drawing {
 public:
  explicit Drawing(const BarChart& chart) : chart_(chart) {
    std::size_t longest = 0;
    for (const auto& row : chart.rows) {
      longest = std::max(longest, character_count(row.label));
      largest_ = std::max(largest_, sum(row));
    }
    left_ = kMargin + static_cast<int>(std::ceil(static_cast<double>(longest) * kGlyphWidth)) + 10;
    bottom_ = kTop + kRowHeight * static_cast<int>(chart.rows.size());
  }

  std::string draw() {
    const int width = left_ + kBarWidth + 60, height = bottom_ + kBottom;
    out_ = svg_begin(width, height, chart_.title);
    text("title", kMargin, 26, "start", chart_.title);
    text("faint", kMargin, 45, "start", chart_.subtitle);
    legend();
    grid();
    for (std::size_t i = 0; i < chart_.rows.size(); ++i) bar(chart_.rows[i], kTop + kRowHeight * static_cast<int>(i));
    return out_ + "</svg>\n";
  }

 private:
  void text(std::string_view style, double x, double y, std::string_view anchor, std::string_view words) {
    out_ += svg_text(style, x, y, anchor, words);
  }

  double x_of(double value) const { return left_ + value / largest_ * kBarWidth; }

  void legend() {
    double x = left_;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      out_ +=
          fmt::format("<rect x=\"{:.1f}\" y=\"54\" width=\"10\" height=\"10\" fill=\"{}\"/>\n", x, series_colour(i));
      text("label", x + 15, 63, "start", chart_.series[i]);
      x += 35 + kGlyphWidth * static_cast<double>(character_count(chart_.series[i]));
    }
  }

  void grid() {
    const double step = grid_step(largest_);
    for (int i = 0; step * i <= largest_ * 1.0001; ++i) {
      const double x = x_of(step * i);
      out_ += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>\n", x, kTop - 4,
                          bottom_ + 4);
      text("faint", x, bottom_ + 19, "middle", fmt::format("{:g}", step * i));
    }
  }

  void bar(const BarChart::Row& row, int y) {
    CUDACARDS_CHECK(row.values.size() == chart_.series.size());
    const double baseline = y + kBarHeight - 2;
    text("label", left_ - 8, baseline, "end", row.label);
    double done = 0;
    for (std::size_t i = 0; i < row.values.size(); ++i) {
      out_ += fmt::format("<rect x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>\n", x_of(done), y,
                          x_of(done + row.values[i]) - x_of(done), kBarHeight, series_colour(i));
      done += row.values[i];
    }
    text("faint", x_of(done) + 6, baseline, "start", fmt::format("{:g}", done));
  }

  const BarChart& chart_;
  double largest_ = 1;
  int left_ = 0, bottom_ = 0;
  std::string out_;
};

}  // namespace

std::string bar_chart_svg(const BarChart& chart) { return Drawing(chart).draw(); }

}  // namespace cudacards
