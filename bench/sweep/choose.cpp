#include "bench/sweep/choose.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace cudacards::sweep {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// The fastest of the choices that rows come to; infinite where all were refused.
double best_of(const Experiment& experiment, const Timings& timings) {
  double best = kInfinite;
  for (const std::size_t choice : experiment.choice_of_row) {
    if (timings[choice].refusal.empty()) best = std::min(best, timings[choice].microseconds);
  }
  return best;
}

std::string percent(double loss) {
  return std::isinf(loss) ? std::string("refused") : fmt::format("{:.1f} %", 100 * (loss - 1));
}

/// The experiment in which `row` gains most on its slowest rival, with both times.
std::string example(const Study& study, const std::vector<Timings>& timings, std::size_t row) {
  std::string text;
  double most = 0;
  for (std::size_t i = 0; i < study.experiments.size(); ++i) {
    const Experiment& experiment = study.experiments[i];
    const std::size_t own = experiment.choice_of_row[row];
    for (const std::size_t rival : experiment.choice_of_row) {
      if (!timings[i][rival].refusal.empty() || rival == own) continue;
      const double gain = timings[i][rival].microseconds / timings[i][own].microseconds;
      if (gain <= most) continue;
      most = gain;
      text = fmt::format("{}: {} {:.1f} us, {} {:.1f} us", experiment.name, experiment.choices[own].name,
                         timings[i][own].microseconds, experiment.choices[rival].name, timings[i][rival].microseconds);
    }
  }
  return text;
}

}  // namespace

double loss_of_row(const Study& study, const std::vector<Timings>& timings, std::size_t row) {
  double sum = 0;
  for (std::size_t i = 0; i < study.experiments.size(); ++i) {
    const Experiment& experiment = study.experiments[i];
    const Timing& own = timings[i][experiment.choice_of_row[row]];
    if (!own.refusal.empty()) return kInfinite;
    sum += std::log(own.microseconds / best_of(experiment, timings[i]));
  }
  return std::exp(sum / static_cast<double>(study.experiments.size()));
}

Outcome choose(const Study& study, const std::vector<Timings>& timings, std::string_view gpu, std::string_view date) {
  Outcome outcome;
  if (study.experiments.empty()) {
    outcome.evidence = "no problem of the models tells its rows apart";
    return outcome;
  }
  outcome.loss = outcome.loss_in_force = loss_of_row(study, timings, 0);
  for (std::size_t row = 1; row < study.rows.size(); ++row) {
    const double loss = loss_of_row(study, timings, row);
    const bool replaces = outcome.row == 0 ? loss * kWorthwhile < outcome.loss : loss < outcome.loss;
    if (replaces) outcome.row = row, outcome.loss = loss;
  }
  if (std::isinf(outcome.loss)) {
    outcome.evidence = "every row has a choice that was refused";
    return outcome;
  }
  outcome.is_decided = true;
  outcome.evidence = fmt::format("{}, {}, {} problems: {} off the best of each on average (row before: {}); {}", gpu,
                                 date, study.experiments.size(), percent(outcome.loss), percent(outcome.loss_in_force),
                                 example(study, timings, outcome.row));
  return outcome;
}

}  // namespace cudacards::sweep
