#pragma once
// Which of several implementations of one problem is the fastest, after all have been shown to give the same results.

#include <span>

#include "host/ops/trial.h"
#include "host/ops/tuning_table.h"

namespace cudacards {

struct MeasureOptions {
  int repetitions = 15;          // of which the median counts
  double budget_seconds = 0.4;   // repetitions end earlier where they take longer than this
  double hopeless = 4;           // times the best so far: is not repeated
  double reference_flops = 1e9;  // forward and backward that the reference is asked for where it is slow
};

/// `candidates` in the order of the operation's list, all of which support the problem; the last is the reference.
///
/// First every candidate's results (forward, gradients of sources and parameters) are compared with the reference's
/// from the same inputs: whole numbers, on which only the rounding of what is stored may differ; random gradients of
/// whole-number results; random numbers (dst alone where an operation compares, because near ties may fall either way).
/// Where the reference is slow (anywhere but on a GPU), it computes a smaller batch, and the whole batch is compared
/// with the most accurate of those that passed; if that finds a difference, the reference decides after all.
/// Then those that agree are timed: forward + backward as the plan runs them, in the device's memory, median.
///
/// Throws Error where memory is short or the reference fails, and where the operation has no error_scales().
TuningEntry measure_candidates(Device& device, const Operation& operation, const Problem& problem,
                               std::span<const Implementation* const> candidates, const MeasureOptions& options = {});

/// The largest error of `actual` in units of what rounding explains, and where: "diff_src, element 17". 0 and empty
/// where nothing differs.
struct Difference {
  double error = 0;
  std::string where;
};
Difference difference(const TrialOutputs& actual, const TrialOutputs& expected, const ErrorScales& scales,
                      const Problem& problem, TrialData data);

}  // namespace cudacards
