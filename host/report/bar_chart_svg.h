#pragma once
// A horizontal bar chart as one self-contained SVG: no script, no font, no link; readable on a light and on a dark
// page.

#include <string>
#include <vector>

namespace cudacards {

struct BarChart {
  std::string title = {}, subtitle = {};
  std::vector<std::string> series = {};  // legend; bars of one row are stacked
  struct Row {
    std::string label;
    std::vector<double> values;  // one a series, not negative
  };
  std::vector<Row> rows = {};
};

/// Any text is escaped. Throws nothing; a chart without rows is a title over an empty frame.
std::string bar_chart_svg(const BarChart& chart);

}  // namespace cudacards
