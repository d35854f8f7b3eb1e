#include <algorithm>
#include <cmath>

#include "host/ops/softmax_loss.h"
#include "host/runtime/finite.h"
#include "host/runtime/profiler_range.h"
#include "host/train/training_step.h"

namespace cudacards {
namespace {

class HostStep final : public TrainingStep {
 public:
  HostStep(Plan& plan, const RunConfig& config, const TrainedValues& values, const Features* features)
      : plan_(plan),
        config_(config),
        values_(values),
        features_(features ? std::make_unique<FeatureFeed>(*features) : nullptr),
        segments_(values.parameters.segments(values.average_kept())) {}

  void run(const Batch& batch, std::uint64_t number, float rate) override {
    const Step step = step_of(number);
    if (features_) {
      features_->send(batch, plan_);
      plan_.forward(step);
    } else {
      plan_.forward(batch.images, step);
    }
    const SoftmaxLossResult loss = loss_of(batch);
    plan_.backward(step);
    if (!is_finite(loss)) {
      diverged_ = number;
      return;
    }
    const ProfilerRange range("optimizer");
    optimizer_step(config_.optimizer, segments_, rate, number, values_.parameters.values(), plan_.gradients(),
                   values_.moment1, values_.moment2, values_.average, average_decay_at(config_.ema_decay, number));
    values_.parameters.touch();
    sums_.loss_sum += loss.loss_sum;
    sums_.correct += loss.correct;
    sums_.rows += loss.rows;
  }

  StepReport report() override { return {sums_, diverged_}; }
  void set_metrics(const RunningMetrics& sums) override { sums_ = sums; }
  bool reports_at_once() const override { return true; }

  void load() override { values_.parameters.touch(); }
  void store() override {}

  void swap_average() override {
    if (values_.average.empty()) return;
    for (const auto& p : values_.parameters.list()) {
      if (p.moves)
        std::ranges::swap_ranges(values_.parameters.values(p),
                                 values_.average.subspan(static_cast<std::size_t>(p.begin)));
    }
    values_.parameters.touch();
  }

  std::string find_non_finite(const Batch& batch, std::uint64_t number) override {
    const auto loss = [&] { (void)loss_of(batch); };
    if (!features_) return plan_.find_non_finite(batch.images, step_of(number), loss);
    features_->send(batch, plan_);
    return plan_.find_non_finite(step_of(number), loss);
  }

 private:
  Step step_of(std::uint64_t number) const { return {.training = true, .seed = config_.seed, .number = number}; }

  SoftmaxLossResult loss_of(const Batch& batch) {
    const ProfilerRange range("loss");
    const Shape& logits = plan_.nodes().back().problem.dst.shape;
    return softmax_loss(plan_.logits(), batch.labels.data(), config_.batch, batch.rows, logits[1],
                        config_.label_smoothing, plan_.diff_logits());
  }

  // Costs one read of the gradients, about 1 ms for 13 M; a step that would spoil the parameters is caught before it
  // does.
  bool is_finite(const SoftmaxLossResult& loss) {
    const ProfilerRange range("check of the gradients");
    const auto gradients = plan_.gradients();
    return std::isfinite(loss.loss_sum) &&
           all_finite(gradients.data(), DType::kF32, static_cast<std::int64_t>(gradients.size()));
  }

  Plan& plan_;
  const RunConfig& config_;
  const TrainedValues values_;
  const std::unique_ptr<FeatureFeed> features_;  // null: learns from pictures
  const std::vector<OptimizerSegment> segments_;
  RunningMetrics sums_;
  std::optional<std::uint64_t> diverged_;
};

}  // namespace

std::unique_ptr<TrainingStep> make_host_step(Plan& plan, const RunConfig& config, const TrainedValues& values,
                                             const Features* features) {
  return std::make_unique<HostStep>(plan, config, values, features);
}

}  // namespace cudacards
