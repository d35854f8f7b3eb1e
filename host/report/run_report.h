#pragma once
// A run as a page for people: report.html, one file that needs no network, no script and no other file.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/report/bar_chart_svg.h"
#include "host/report/confusion.h"
#include "host/report/epoch_metrics.h"
#include "host/report/profile.h"

namespace cudacards {

struct Fact {
  std::string name, value;
};

/// JPEG, shown at width x height.
struct ReportPicture {
  std::string caption;
  int width = 0, height = 0;
  std::vector<std::uint8_t> jpeg;
};

struct Mistake {
  std::string path, truth, guess;
  double probability = 0;           // of the guess
  double probability_of_truth = 0;  // of what it is
  ReportPicture picture;
};

/// The best weights against one split. Loss: natural logarithm, without label smoothing.
struct SplitResult {
  std::string name;  // "valid", "test"
  double loss = 0, top5_accuracy = 0;
  Confusion confusion;
  std::vector<Mistake> mistakes;  // the surest first, not all of them

  double accuracy() const;
};

/// Everything that the page tells. Text is raw: the page escapes it.
struct RunReport {
  std::string name;         // the run's folder
  std::vector<Fact> about;  // what was trained on what
  std::vector<EpochMetrics> epochs;
  std::vector<SplitResult> splits;
  std::vector<ReportPicture> training_pictures;  // as the network saw them, after augmentation
  std::optional<BarChart> class_counts;
  std::optional<Profile> profile;
  std::vector<Fact> environment;
  std::string command, config;     // that repeats the run; its run.toml
  std::vector<std::string> notes;  // what is missing from the page, and why

  const EpochMetrics* best_epoch() const { return cudacards::best_epoch(epochs); }
};

struct Interval {
  double low = 0, high = 0;
};
/// 95 % of an accuracy's score interval (Wilson, "Probable inference", JASA 1927). Of no samples: 0 to 1.
Interval wilson_interval(std::int64_t correct, std::int64_t samples);

std::string run_report_html(const RunReport& report);
/// Several runs side by side: their facts, figures and curves. Facts that all share are told once.
std::string comparison_html(const std::vector<RunReport>& reports);

}  // namespace cudacards
