#pragma once
// A data set as a page for people: pictures per class and split, their sizes, what is wrong with them.

#include <string>

#include "host/data/check.h"
#include "host/data/stats.h"
#include "host/report/bar_chart_svg.h"

namespace cudacards {

/// Pictures a class, a series a split.
BarChart class_counts_chart(const DatasetStats& stats, const std::string& subtitle);

/// `root` is the folder that both are of: paths are told from there.
std::string stats_html(const DatasetStats& stats, const DatasetCheck& check, const std::string& root);

}  // namespace cudacards
