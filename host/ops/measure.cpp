#include "host/ops/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "host/runtime/median.h"

namespace cudacards {
namespace {

constexpr double kEmulatedFlops = 2e6;  // the emulator takes some 10 ns an access

std::vector<Shape> shapes_of(const Problem& problem) {
  std::vector<Shape> shapes;
  for (const TensorDesc& src : problem.src) shapes.push_back(src.shape);
  return shapes;
}

Problem with_batch(Problem problem, std::int64_t batch) {
  for (TensorDesc& src : problem.src) src.shape = src.shape.with_batch(batch);
  problem.dst.shape = problem.dst.shape.with_batch(batch);
  return problem;
}

/// Of an operation that computes on whole numbers exactly, three; of others random ones say everything.
std::vector<TrialData> data_for(const ErrorScales& scales) {
  if (!scales.is_exact_on_whole_numbers) return {TrialData::kRandom};
  return {TrialData::kWhole, TrialData::kWholeWithRandomGradient, TrialData::kRandom};
}

class Measurement {
 public:
  Measurement(Device& device, const Operation& operation, const Problem& problem,
              std::span<const Implementation* const> candidates, const MeasureOptions& options)
      : device_(device),
        operation_(operation),
        problem_(problem),
        candidates_(candidates),
        options_(options),
        is_compared_(candidates.size(), false) {
    CUDACARDS_CHECK(candidates.size() > 1);
    for (const Implementation* candidate : candidates)
      entry_.candidates.push_back({.implementation = std::string(candidate->name)});
  }

  TuningEntry run() {
    const std::int64_t whole = problem_.src[0].shape[0], small = batch_of_the_reference();
    compare(with_batch(problem_, small), reference());
    if (small < whole) compare_whole_batch();
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (agrees(i)) time(i, small);
    }
    return entry_;
  }

 private:
  std::size_t reference() const { return candidates_.size() - 1; }
  bool agrees(std::size_t i) const { return entry_.candidates[i].refusal.empty(); }

  std::int64_t batch_of_the_reference() const {
    const std::int64_t whole = problem_.src[0].shape[0];
    const DeviceKind kind = device_.kind();
    if (kind == DeviceKind::kCuda) return whole;
    const double most = kind == DeviceKind::kEmulated ? kEmulatedFlops : options_.reference_flops;
    const double flops = operation_.flops(shapes_of(problem_)) * (problem_.training ? 3 : 1);
    if (flops <= most) return whole;
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(static_cast<double>(whole) * most / flops), 1, whole);
  }

  /// Everybody who has agreed so far with the decider; who doesn't, or fails, is refused. Without the reference, unless
  /// it decides. True where all agree.
  bool compare(const Problem& problem, std::size_t decider) {
    const ErrorScales scales = *operation_.error_scales(shapes_of(problem));
    bool all_agree = true;
    for (const TrialData data : data_for(scales)) {
      Trial deciding(device_, operation_, problem, *candidates_[decider]);  // says so where memory is short
      const TrialInputs inputs = draw_inputs(operation_, problem, data);
      const TrialOutputs expected = outputs(deciding, inputs);
      if (decider == reference()) reference_seconds_ = seconds_;
      for (std::size_t i = 0; i < reference(); ++i) {
        // An implementation may leave small batches to others.
        if (i == decider || !agrees(i) || !candidates_[i]->supports(operation_, problem)) continue;
        Trial trial(device_, operation_, problem, *candidates_[i]);
        judge(i, decider, [&] { return difference(outputs(trial, inputs), expected, scales, problem, data); });
        is_compared_[i] = true;
        all_agree = all_agree && agrees(i);
      }
    }
    return all_agree;
  }

  TrialOutputs outputs(Trial& trial, const TrialInputs& inputs) {
    trial.load(inputs);
    const auto start = std::chrono::steady_clock::now();
    trial.forward();
    if (trial.has_backward()) trial.backward();
    device_.synchronise();
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return trial.outputs();
  }

  void judge(std::size_t i, std::size_t decider, const std::function<Difference()>& compare_it) {
    CandidateResult& candidate = entry_.candidates[i];
    try {
      const Difference found = compare_it();
      candidate.error = std::max(candidate.error, found.error);
      if (found.error <= 1) return;
      candidate.refusal = fmt::format("disagrees with {} by {:.3g} times what rounding explains ({})",
                                      candidates_[decider]->name, found.error, found.where);
    } catch (const Error& error) {
      candidate.refusal = fmt::format("failed: {}", error.what());
    }
  }

  /// With the most accurate of those that the reference has approved on a smaller batch.
  void compare_whole_batch() {
    std::size_t decider = reference();
    for (std::size_t i = 0; i < reference(); ++i) {
      if (!is_compared_[i] || !agrees(i)) continue;
      if (decider == reference() || entry_.candidates[i].error < entry_.candidates[decider].error) decider = i;
    }
    const TuningEntry before = entry_;
    if (decider != reference() && compare(problem_, decider)) return;
    entry_ = before;
    const double seconds = reference_seconds_;
    compare(problem_, reference());
    reference_seconds_ = seconds;
  }

  void time(std::size_t i, std::int64_t small_batch) {
    CandidateResult& candidate = entry_.candidates[i];
    const double growth = static_cast<double>(problem_.src[0].shape[0]) / static_cast<double>(small_batch);
    if (i == reference() && reference_seconds_ * growth > options_.hopeless * best_) {
      candidate.forward_seconds = reference_seconds_ * growth;
      candidate.is_estimate = true;
      return;
    }
    Trial trial(device_, operation_, problem_, *candidates_[i]);
    trial.load(draw_inputs(operation_, problem_, TrialData::kRandom));
    trial.forward();  // whatever is made at a first call cannot be captured
    if (trial.has_backward()) trial.backward();
    // As in a step that is one graph: launches cost the device nothing.
    const auto forward = device_.capture([&] { trial.forward(); });
    const auto backward = device_.capture([&] {
      if (trial.has_backward()) trial.backward();
    });
    Times times = time_once(*forward, *backward);
    if (times.sum() < options_.hopeless * best_) times = time_repeatedly(*forward, *backward);
    candidate.forward_seconds = times.forward;
    candidate.backward_seconds = trial.has_backward() ? times.backward : 0;
    best_ = std::min(best_, candidate.seconds());
  }

  struct Times {
    double forward = 0, backward = 0;
    double sum() const { return forward + backward; }
  };

  Times time_once(CapturedWork& forward, CapturedWork& backward) {
    const auto start = device_.make_event(), middle = device_.make_event(), end = device_.make_event();
    start->record();
    forward.run();
    middle->record();
    backward.run();
    end->record();
    const double behind = end->seconds_since(*middle);
    return {middle->seconds_since(*start), behind};
  }

  Times time_repeatedly(CapturedWork& forward, CapturedWork& backward) {
    std::vector<double> ahead, behind;
    double spent = 0;
    while (static_cast<int>(ahead.size()) < options_.repetitions &&
           (ahead.size() < 3 || spent < options_.budget_seconds)) {
      const Times times = time_once(forward, backward);
      ahead.push_back(times.forward);
      behind.push_back(times.backward);
      spent += times.sum();
    }
    return {median(std::move(ahead)), median(std::move(behind))};
  }

  Device& device_;
  const Operation& operation_;
  const Problem& problem_;
  const std::span<const Implementation* const> candidates_;
  const MeasureOptions options_;
  TuningEntry entry_;
  std::vector<bool> is_compared_;
  double best_ = HUGE_VAL, reference_seconds_ = 0, seconds_ = 0;
};

}  // namespace

TuningEntry measure_candidates(Device& device, const Operation& operation, const Problem& problem,
                               std::span<const Implementation* const> candidates, const MeasureOptions& options) {
  if (!operation.error_scales(shapes_of(problem)))
    throw Error(fmt::format("no bound of its errors is known for {}", operation.kind()));
  return Measurement(device, operation, problem, candidates, options).run();
}

}  // namespace cudacards
