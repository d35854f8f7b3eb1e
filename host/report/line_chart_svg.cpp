#include "host/report/line_chart_svg.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "host/report/markup.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

// SVG user units, which a browser shows as pixels where there is room, and shrinks where there is not.
constexpr double kWidth = 460, kHeight = 270, kLeft = 58, kRight = 14, kTop = 62, kBottom = 40, kGlyphWidth = 6.7;

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();

  void include(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool is_empty() const { return low > high; }
  /// A range of one value becomes one that can be divided by.
  void widen() {
    if (high > low) return;
    const double room = high == 0 ? 1 : std::abs(high) / 2;
    low -= room, high += room;
  }
};

class Drawing {
 public:
  explicit Drawing(const LineChart& chart) : chart_(chart) {
    for (const LineChart::Series& series : chart.series) {
      CUDACARDS_CHECK(series.x.size() == series.y.size());
      for (std::size_t i = 0; i < series.x.size(); ++i) {
        if (!std::isfinite(series.y[i])) continue;
        x_.include(series.x[i]);
        y_.include(series.y[i]);
      }
    }
    is_empty_ = y_.is_empty();
    if (is_empty_) return;
    if (chart.starts_at_zero) y_.include(0);
    if (chart.is_share && y_.high > 0.5) y_.high = 1;
    x_.widen();
    y_.widen();
    step_ = grid_step(y_.high - y_.low);
    y_.low = std::floor(y_.low / step_ + 1e-9) * step_;
    y_.high = std::ceil(y_.high / step_ - 1e-9) * step_;
  }

  std::string draw() {
    out_ = svg_begin(kWidth, kHeight, chart_.title);
    text("title", 12, 24, "start", chart_.title);
    if (is_empty_) {
      text("faint", kWidth / 2, kHeight / 2, "middle", "no figures yet");
      return out_ + "</svg>\n";
    }
    legend();
    axes();
    for (std::size_t i = 0; i < chart_.series.size(); ++i) curve(chart_.series[i], series_colour(i));
    return out_ + "</svg>\n";
  }

 private:
  double x_of(double value) const { return kLeft + (value - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight); }
  double y_of(double value) const {
    return kHeight - kBottom - (value - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
  }

  void text(std::string_view style, double x, double y, std::string_view anchor, std::string_view words) {
    out_ += svg_text(style, x, y, anchor, words);
  }

  void legend() {
    double x = kLeft;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      const LineChart::Series& series = chart_.series[i];
      out_ +=
          fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"42\" y2=\"42\" stroke=\"{}\" stroke-width=\"2.5\"{}/>\n",
                      x, x + 18, series_colour(i), series.dashed ? " stroke-dasharray=\"5 3\"" : "");
      text("label", x + 23, 46, "start", series.label);
      x += 41 + kGlyphWidth * static_cast<double>(character_count(series.label));
    }
  }

  std::string value_text(double value) const {
    if (chart_.is_share) return fmt::format("{:g} %", std::round(value * 1e4) / 100);
    return fmt::format("{:g}", std::abs(value) < step_ / 2 ? 0 : std::round(value / step_ * 100) / 100 * step_);
  }

  void axes() {
    const int lines = static_cast<int>(std::lround((y_.high - y_.low) / step_));
    for (int i = 0; i <= lines; ++i) {
      const double value = y_.low + step_ * i;
      out_ += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kLeft,
                          kWidth - kRight, y_of(value), y_of(value));
      text("faint", kLeft - 7, y_of(value) + 4, "end", value_text(value));
    }
    const double step = std::max(1.0, grid_step(x_.high - x_.low));  // an epoch is not divided
    for (double value = std::ceil(x_.low / step) * step; value <= x_.high + 1e-9; value += step)
      text("faint", x_of(value), kHeight - kBottom + 17, "middle", fmt::format("{:g}", value));
    text("faint", (kLeft + kWidth - kRight) / 2, kHeight - 6, "middle", chart_.x_label);
  }

  void curve(const LineChart::Series& series, std::string_view colour) {
    std::string path;
    bool is_down = false;  // the pen
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!std::isfinite(series.y[i])) {
        is_down = false;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", is_down ? "L" : "M", x_of(series.x[i]), y_of(series.y[i]));
      const bool is_alone = !is_down && (i + 1 == series.x.size() || !std::isfinite(series.y[i + 1]));
      if (is_alone) path += "h0";  // with round ends, a dot
      is_down = true;
    }
    out_ += fmt::format(
        "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\" "
        "stroke-linecap=\"round\"{}/>\n",
        path, colour, series.x.size() == 1 ? 7 : 2, series.dashed ? " stroke-dasharray=\"5 4\"" : "");
  }

  const LineChart& chart_;
  Range x_, y_;
  double step_ = 1;
  bool is_empty_ = true;
  std::string out_;
};

}  // namespace

std::string line_chart_svg(const LineChart& chart) { return Drawing(chart).draw(); }

}  // namespace cudacards
