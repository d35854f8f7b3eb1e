#pragma once
// Which row of a study wins, and how that is said.

#include <string>
#include <string_view>
#include <vector>

#include "bench/sweep/measure.h"
#include "bench/sweep/study.h"

namespace cudacards::sweep {

/// How much slower a row is than the best choice of each experiment, as a factor: the geometric mean. Infinite where
/// one of its choices was refused. Choices that no row comes to don't count.
double loss_of_row(const Study& study, const std::vector<Timings>& timings, std::size_t row);

struct Outcome {
  bool is_decided = false;  // false: no experiment tells the rows apart, or all rows were refused
  std::size_t row = 0;
  double loss = 1, loss_in_force = 1;
  std::string evidence;  // "NVIDIA H200, 2026-08-02, 36 problems: ..."; why not, where nothing is decided
};

/// The row in force stays unless another is more than kWorthwhile faster: times are not exact.
constexpr double kWorthwhile = 1.02;
Outcome choose(const Study& study, const std::vector<Timings>& timings, std::string_view gpu, std::string_view date);

}  // namespace cudacards::sweep
