#pragma once
// Curves over epochs as one self-contained SVG: no script, no font, no link; readable on a light and on a dark page.

#include <string>
#include <vector>

namespace cudacards {

struct LineChart {
  std::string title = {};
  std::string x_label = "epoch";
  struct Series {
    std::string label;
    std::vector<double> x, y;  // as many of each; what is not finite is a gap
    bool dashed = false;
  };
  std::vector<Series> series = {};
  bool is_share = false;       // of 1: the axis ends at 1 at most and shows per cent
  bool starts_at_zero = true;  // or at the lowest value
};

/// Any text is escaped. A chart without a finite value says so. A single point is drawn as a dot.
std::string line_chart_svg(const LineChart& chart);

}  // namespace cudacards
