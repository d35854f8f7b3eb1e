#pragma once
// What a step consists of, part by part, as a table and as JSON.

#include <optional>
#include <string>
#include <vector>

#include "host/graph/plan.h"

namespace cudacards {

/// A node, the loss or the optimizer. Seconds are medians over the steps; on the emulator they say nothing, and counts
/// take their place.
struct ProfileRow {
  std::string name, implementation;  // empty where there is no choice
  double forward_seconds = 0, backward_seconds = 0;
  double flops = 0;  // forward and backward, a multiply-add counts as two
  double bytes = 0;  // that have to be moved at least, both ways
  WorkCounts counts;

  double seconds() const { return forward_seconds + backward_seconds; }
};

struct Profile {
  std::string arch, device;
  DeviceKind kind = DeviceKind::kCpu;
  Precision precision = Precision::kF32;
  Mode mode = Mode::kTrain;
  int batch = 0, image_size = 0, steps = 0, threads = 0;
  std::vector<ProfileRow> rows;  // in the order of the step
  double step_seconds = 0;       // a whole step that nobody watches, as training runs it
  double watched_seconds = 0;    // a whole step while its parts are timed

  double sum_of_parts() const;
};

/// What the plan's node computes and moves at least, forward and, where it runs, backward.
double flops_of(const PlanNode& node);
double least_bytes_of(const PlanNode& node);

/// Cells of tables: "1.250"; 10^9 a second, "49.0". "-" where nothing was measured.
std::string milliseconds_text(double seconds);
std::string rate_text(double amount, double seconds);

std::string profile_table(const Profile& profile);
std::string profile_json(const Profile& profile);

}  // namespace cudacards
