#pragma once
// An experiment on a machine: each choice is held against the first's results before it is timed.

#include <string>
#include <vector>

#include "bench/sweep/machine.h"
#include "bench/sweep/study.h"

namespace cudacards::sweep {

/// Of a choice: its time, or why it was refused.
struct Timing {
  double microseconds = 0;
  std::string refusal;
};
/// One a choice.
using Timings = std::vector<Timing>;

/// Throws Error where the machine itself fails (no memory, no copy).
Timings measure(const Experiment& experiment, Machine& machine);

}  // namespace cudacards::sweep
