#include <algorithm>
#include <array>
#include <cstring>

#include "host/ops/device_parameters.h"
#include "host/runtime/buffer.h"
#include "host/runtime/device_buffer.h"
#include "host/runtime/profiler_range.h"
#include "host/train/picture_feed.h"
#include "host/train/training_step.h"
#include "kernels/table.h"

namespace cudacards {
namespace {

/// Where the numbers of a step lie in the block that is sent before it: one copy a step.
struct InputLayout {
  explicit InputLayout(int batch)
      : labels(align_up(sizeof(Head))),
        indices(labels + align_up(static_cast<std::size_t>(batch) * sizeof(std::int32_t))),
        transforms(indices + align_up(static_cast<std::size_t>(batch) * sizeof(std::int32_t))),
        bytes(transforms + align_up(static_cast<std::size_t>(batch) * sizeof(ImageTransform))) {}

  struct Head {
    StepClock clock;
    OptimizerClock optimizer;
    std::int32_t rows = 0;
  };
  std::size_t labels, indices, transforms, bytes;
};

class DeviceStepOfTraining final : public TrainingStep {
 public:
  DeviceStepOfTraining(Plan& plan, const RunConfig& config, const TrainedValues& values, const Pictures& pictures,
                       DataPlace place, Replay replay, const Features* features)
      : plan_(plan),
        device_(plan.device()),
        kernels_(device_.kernels()),
        config_(config),
        values_(values),
        replay_(replay),
        layout_(config.batch),
        features_(features ? std::make_unique<FeatureFeed>(*features) : nullptr),
        pictures_(features ? nullptr : std::make_unique<PictureFeed>(device_, pictures, config.batch, place)),
        inputs_(device_, layout_.bytes, "a step's numbers"),
        moment1_(device_, values.moment1.size_bytes(), "the optimizer's first moment"),
        moment2_(device_, values.moment2.size_bytes(), "the optimizer's second moment"),
        average_(device_, values.average.size_bytes(), "the averaged parameters"),
        row_loss_(device_, rows_bytes(), "the losses of a batch"),
        label_rank_(device_, rows_bytes(), "the ranks of a batch's labels"),
        winner_(device_, rows_bytes(), "the winners of a batch"),
        metrics_(device_, sizeof(Metrics), "the metrics"),
        report_(device_, sizeof(GradientReport), "the gradients' report") {
    const std::vector<OptimizerSegment> segments = values.parameters.segments(values.average_kept());
    segment_count_ = static_cast<int>(segments.size());
    segments_ = DeviceBuffer(device_, segments.size() * sizeof(OptimizerSegment), "the optimizer's segments");
    device_.upload(segments_.data(), segments.data(), segments_.size());
    device_.fill(report_.data(), 0, report_.size());
    for (Staging& staging : staging_) {
      staging.block = PinnedBuffer(device_, layout_.bytes, "a step's numbers on their way to the device");
      staging.sent = device_.make_event();
    }
    set_metrics({});
    plan_.use_clock(&head()->clock);
    load();
  }

  // The first step is done as it is written down, so that every kernel is loaded; the second captures it.
  void run(const Batch& batch, std::uint64_t number, float rate) override {
    plan_.prepare();
    send(batch, number, rate);
    if (number_of_steps_++ == 0 || replay_ == Replay::kCallByCall || range_listener() != nullptr) {
      step();
    } else {
      if (!graph_) graph_ = device_.capture([&] { step(); });
      graph_->run();
    }
    plan_.device_parameters().written_with_copy();
    next_number_ = number + 1;
  }

  StepReport report() override {
    GradientReport gradients;
    Metrics metrics;
    device_.download(&gradients, report_.data(), sizeof gradients);
    device_.download(&metrics, metrics_.data(), sizeof metrics);
    StepReport report;
    report.sums = {.loss_sum = metrics.loss_sum, .correct = metrics.correct, .rows = metrics.rows};
    if (gradients.skipped > 0) report.diverged = next_number_ - gradients.skipped;
    return report;
  }

  void set_metrics(const RunningMetrics& sums) override {
    const Metrics metrics = {.loss_sum = sums.loss_sum, .rows = sums.rows, .correct = sums.correct};
    device_.upload(metrics_.data(), &metrics, sizeof metrics);
  }

  bool reports_at_once() const override { return false; }

  void load() override {
    values_.parameters.touch();
    plan_.prepare();
    device_.upload(moment1_.data(), values_.moment1.data(), moment1_.size());
    device_.upload(moment2_.data(), values_.moment2.data(), moment2_.size());
    device_.upload(average_.data(), values_.average.data(), average_.size());
  }

  void store() override {
    plan_.device_parameters().download(values_.parameters.values());
    device_.download(values_.moment1.data(), moment1_.data(), moment1_.size());
    device_.download(values_.moment2.data(), moment2_.data(), moment2_.size());
    device_.download(values_.average.data(), average_.data(), average_.size());
  }

  // Through the gradients' memory, which nobody needs between two steps. Those of statistics are never written: the
  // optimizer counts on their being 0.
  void swap_average() override {
    if (average_.size() == 0) return;
    plan_.prepare();
    DeviceParameters& parameters = plan_.device_parameters();
    for (const auto& p : values_.parameters.list()) {
      if (!p.moves) continue;
      const auto bytes = static_cast<std::size_t>(p.end - p.begin) * sizeof(float);
      float* value = parameters.values() + p.begin;
      float* average = average_.as<float>().data() + p.begin;
      float* between = plan_.gradients().data() + p.begin;
      device_.copy(between, value, bytes);
      device_.copy(value, average, bytes);
      device_.copy(average, between, bytes);
      if (!p.trainable) device_.fill(between, 0, bytes);
    }
    parameters.written();
  }

  std::string find_non_finite(const Batch& batch, std::uint64_t number) override {
    send(batch, number, 0);
    const Step now{.training = true, .seed = config_.seed, .number = number};
    const auto loss_of_batch = [&] { loss(); };
    return features_ ? plan_.find_non_finite(now, loss_of_batch)
                     : plan_.find_non_finite(batch.images, now, loss_of_batch);
  }

 private:
  struct Staging {
    PinnedBuffer block;
    std::unique_ptr<Event> sent;
  };

  std::size_t rows_bytes() const { return static_cast<std::size_t>(config_.batch) * sizeof(float); }

  /// Addresses in device memory.
  const InputLayout::Head* head() { return reinterpret_cast<const InputLayout::Head*>(inputs_.data()); }
  template <class T>
  const T* input(std::size_t offset) {
    return reinterpret_cast<const T*>(inputs_.data() + offset);
  }

  void send(const Batch& batch, std::uint64_t number, float rate) {
    Staging& staging = staging_[next_staging_];
    next_staging_ = (next_staging_ + 1) % staging_.size();
    staging.sent->wait();
    std::byte* block = staging.block.data();
    const InputLayout::Head head = {
        .clock = {config_.seed, number},
        .optimizer = optimizer_clock(config_.optimizer, number, rate, average_decay_at(config_.ema_decay, number)),
        .rows = static_cast<std::int32_t>(batch.rows)};
    std::memcpy(block, &head, sizeof head);
    std::memcpy(block + layout_.labels, batch.labels.data(), batch.labels.size() * sizeof(std::int32_t));
    std::memcpy(block + layout_.transforms, batch.transforms.data(), batch.transforms.size() * sizeof(ImageTransform));
    if (features_) {
      features_->send(batch, plan_);
    } else {
      pictures_->send(batch, {reinterpret_cast<std::int32_t*>(block + layout_.indices), batch.labels.size()});
    }
    device_.upload(inputs_.data(), block, layout_.bytes);
    staging.sent->record();
  }

  void step() {
    const Step now{.training = true, .seed = config_.seed};  // its number is in the clock
    if (features_) {
      plan_.forward(now);
    } else {
      plan_.forward(images(), now);
    }
    loss();
    plan_.backward(now);
    update();
    add_metrics();
  }

  DeviceImages images() {
    const bool augments = config_.augment.enabled();
    return {.pictures = pictures_->pictures(),
            .indices = input<std::int32_t>(layout_.indices),
            .transforms = augments ? input<ImageTransform>(layout_.transforms) : nullptr,
            .blurs = config_.augment.blur_probability > 0};
  }

  void loss() {
    const ProfilerRange range("loss");
    const Shape& logits = plan_.nodes().back().problem.dst.shape;
    const SoftmaxLossProblem problem = {
        .batch = logits[0], .classes = static_cast<int>(logits[1]), .smoothing = config_.label_smoothing};
    const SoftmaxLossArgs args = {.logits = plan_.logits(),
                                  .labels = input<std::int32_t>(layout_.labels),
                                  .rows = &head()->rows,
                                  .diff_logits = plan_.diff_logits(),
                                  .row_loss = row_loss_.as<float>().data(),
                                  .label_rank = label_rank_.as<std::int32_t>().data(),
                                  .winner = winner_.as<std::int32_t>().data()};
    require(kernels_.softmax_loss(problem, DType::kF32, args, device_.stream()), "loss");
  }

  // A step that would spoil the parameters is left out, and all behind it.
  void update() {
    const ProfilerRange range("optimizer");
    const OptimizerProblem problem = {
        .options = config_.optimizer, .elements = values_.parameters.size(), .segments = segment_count_};
    const OptimizerArgs args = {.segments = segments_.as<OptimizerSegment>().data(),
                                .clock = &head()->optimizer,
                                .parameters = plan_.device_parameters().values(),
                                .gradients = plan_.gradients().data(),
                                .moment1 = moment1_.as<float>().data(),
                                .moment2 = moment2_.as<float>().data(),
                                .average = average_.as<float>().data(),
                                .copy = plan_.device_parameters().copy(),
                                .report = report_.as<GradientReport>().data()};
    require(kernels_.check_gradients(problem, args, device_.stream()), "check of the gradients");
    require(kernels_.optimizer_update(problem, args, device_.stream()), "optimizer");
  }

  void add_metrics() {
    const ProfilerRange range("metrics");
    const MetricsArgs args = {.row_loss = row_loss_.as<float>().data(),
                              .label_rank = label_rank_.as<std::int32_t>().data(),
                              .rows = &head()->rows,
                              .metrics = metrics_.as<Metrics>().data()};
    require(kernels_.accumulate_metrics({.batch = config_.batch}, args, device_.stream()), "metrics");
  }

  Plan& plan_;
  Device& device_;
  const KernelTable& kernels_;
  const RunConfig& config_;
  const TrainedValues values_;
  const Replay replay_;
  const InputLayout layout_;
  const std::unique_ptr<FeatureFeed> features_;  // one of the two
  const std::unique_ptr<PictureFeed> pictures_;
  DeviceBuffer inputs_, moment1_, moment2_, average_, row_loss_, label_rank_, winner_, metrics_, report_, segments_;
  std::array<Staging, 2> staging_;
  std::size_t next_staging_ = 0;
  int segment_count_ = 0;
  std::uint64_t number_of_steps_ = 0, next_number_ = 0;
  std::unique_ptr<CapturedWork> graph_;
};

}  // namespace

std::unique_ptr<TrainingStep> make_device_step(Plan& plan, const RunConfig& config, const TrainedValues& values,
                                               const Pictures& pictures, DataPlace place, Replay replay,
                                               const Features* features) {
  return std::make_unique<DeviceStepOfTraining>(plan, config, values, pictures, place, replay, features);
}

}  // namespace cudacards
