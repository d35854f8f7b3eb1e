#include "host/report/bar_chart_svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "host/runtime/error.h"

namespace cudacards {
namespace {

// Sizes in SVG user units, which a browser shows as pixels. Glyph width is a mean of sans-serif fonts at 12 units.
constexpr int kRowHeight = 18, kBarHeight = 12, kTop = 76, kBottom = 34, kBarWidth = 520, kMargin = 16;
constexpr double kGlyphWidth = 6.7;

// Okabe and Ito's palette: told apart by colour-blind readers, in contrast with white and with near-black.
constexpr std::array<std::string_view, 3> kColours = {"#0072b2", "#e69f00", "#009e73"};

constexpr std::string_view kStyle = R"(<style>
text { font: 12px system-ui, sans-serif; fill: #222 }
.title { font-size: 16px; font-weight: 600 }
.faint { fill: #666 }
.grid { stroke: #ddd }
.page { fill: #fff }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e6e6 }
  .faint { fill: #a0a0a0 }
  .grid { stroke: #3a3a3a }
  .page { fill: #17181a }
}
</style>
)";

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;  // XML 1.0 has no way to write control characters
    }
  }
  return result;
}

std::size_t glyphs(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

double sum(const BarChart::Row& row) { return std::accumulate(row.values.begin(), row.values.end(), 0.0); }

/// A step of 1, 2 or 5 times a power of ten that divides the axis in four to ten.
double grid_step(double largest) {
  const double power = std::pow(10, std::floor(std::log10(largest / 4)));
  const double times = largest / 4 / power;
  return power * (times >= 5 ? 5 : times >= 2 ? 2 : 1);
}

class Drawing {
 public:
  explicit Drawing(const BarChart& chart) : chart_(chart) {
    std::size_t longest = 0;
    for (const auto& row : chart.rows) {
      longest = std::max(longest, glyphs(row.label));
      largest_ = std::max(largest_, sum(row));
    }
    left_ = kMargin + static_cast<int>(std::ceil(static_cast<double>(longest) * kGlyphWidth)) + 10;
    bottom_ = kTop + kRowHeight * static_cast<int>(chart.rows.size());
  }

  std::string draw() {
    const int width = left_ + kBarWidth + 60, height = bottom_ + kBottom;
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
        "role=\"img\">\n",
        width, height);
    out_ += fmt::format("<title>{}</title>\n{}<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
                        escaped(chart_.title), kStyle);
    text("title", kMargin, 26, "start", chart_.title);
    text("faint", kMargin, 45, "start", chart_.subtitle);
    legend();
    grid();
    for (std::size_t i = 0; i < chart_.rows.size(); ++i) bar(chart_.rows[i], kTop + kRowHeight * static_cast<int>(i));
    return out_ + "</svg>\n";
  }

 private:
  void text(std::string_view style, double x, double y, std::string_view anchor, std::string_view words) {
    out_ += fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", style, x, y,
                        anchor, escaped(words));
  }

  double x_of(double value) const { return left_ + value / largest_ * kBarWidth; }

  void legend() {
    double x = left_;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      out_ += fmt::format("<rect x=\"{:.1f}\" y=\"54\" width=\"10\" height=\"10\" fill=\"{}\"/>\n", x,
                          kColours[i % kColours.size()]);
      text("label", x + 15, 63, "start", chart_.series[i]);
      x += 35 + kGlyphWidth * static_cast<double>(glyphs(chart_.series[i]));
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
                          x_of(done + row.values[i]) - x_of(done), kBarHeight, kColours[i % kColours.size()]);
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
