#include "bench/support/whole_step.h"

#include <algorithm>
#include <cstring>

#include "bench/support/model_variants.h"
#include "host/train/tuning.h"
#include "kernels/base/philox.h"

namespace cudacards::bench {
namespace {

constexpr std::uint64_t kSeed = 1234;

RunConfig config_of(const WholeStepOptions& options) {
  RunConfig config;
  config.arch = options.arch;
  config.image_size = options.image_size;
  config.batch = options.batch;
  config.precision = options.precision;
  config.impl = options.impl;
  config.seed = kSeed;
  return config;
}

PlanOptions plan_options_of(const WholeStepOptions& options, const Graph& graph, Device& device) {
  PlanOptions plan{.batch = options.batch,
                   .target = device.target(),
                   .precision = options.precision,
                   .mode = options.mode,
                   .impl = options.impl,
                   .fuse = options.fuse};
  plan.tuning = tuning_for(graph, plan, device, options.tune ? Tune::kOn : Tune::kOff);
  return plan;
}

Pictures random_pictures(const WholeStepOptions& options) {
  const int count = WholeStep::kBatches * options.batch;
  const auto side = static_cast<std::size_t>(options.image_size);
  Buffer pixels(static_cast<std::size_t>(count) * side * side * 3, "random pictures");
  const auto bytes = pixels.as<std::uint8_t>();
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(Random4)) {
    const Random4 words = random4(kSeed, RandomPurpose::kShuffle, i, 0, 0);
    std::memcpy(&bytes[i], &words, std::min(sizeof words, bytes.size() - i));
  }
  std::vector<int> labels;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(count); ++i)
    labels.push_back(static_cast<int>(random4(kSeed, RandomPurpose::kShuffle, 0, 1, i).v[0] %
                                      static_cast<std::uint32_t>(options.classes)));
  return Pictures::from_memory(options.image_size, options.image_size, labels, std::move(pixels));
}

/// Each of every kBatches-th picture, so that a batch is gathered and not copied.
std::vector<Batch> batches_of(const Pictures& pictures, int count) {
  std::vector<Batch> batches(WholeStep::kBatches);
  for (std::int64_t b = 0; b < WholeStep::kBatches; ++b) {
    Batch& batch = batches[static_cast<std::size_t>(b)];
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t picture = i * WholeStep::kBatches + b;
      batch.indices.push_back(picture);
      batch.labels.push_back(pictures.label(picture));
      batch.image_pointers.push_back(pictures.pixels(picture));
    }
    batch.rows = count;
    batch.images.images = batch.image_pointers;
  }
  return batches;
}

}  // namespace

WholeStep::WholeStep(Device& device, const WholeStepOptions& options)
    : device_(device),
      options_(options),
      config_(config_of(options)),
      graph_(graph_of(options.arch,
                      {.height = options.image_size, .width = options.image_size, .classes = options.classes})),
      parameters_(graph_),
      plan_(Plan::make(graph_, parameters_, plan_options_of(options, graph_, device), device)),
      pictures_(random_pictures(options)),
      batches_(batches_of(pictures_, options.batch)) {
  parameters_.initialise(kSeed);
  const std::size_t bytes = static_cast<std::size_t>(parameters_.size()) * sizeof(float);
  if (options.mode == Mode::kTrain) {
    moment1_ = Buffer(bytes, "Adam's first moment");
    moment2_ = Buffer(bytes, "Adam's second moment");
    const TrainedValues values{parameters_, moment1_.as<float>(), moment2_.as<float>(), {}};
    step_ = device.is_cpu() ? make_host_step(plan_, config_, values)
                            : make_device_step(plan_, config_, values, pictures_, DataPlace::kResident, options.replay);
  } else if (!device.is_cpu()) {
    const auto count = static_cast<std::size_t>(options.batch);
    std::vector<std::int32_t> all;
    for (const Batch& batch : batches_) all.insert(all.end(), batch.indices.begin(), batch.indices.end());
    const std::size_t picture =
        static_cast<std::size_t>(options.image_size) * static_cast<std::size_t>(options.image_size) * 3;
    resident_ = DeviceBuffer(device, all.size() * picture, "the pictures");
    all_indices_ = DeviceBuffer(device, all.size() * sizeof(std::int32_t), "the batches' indices");
    indices_ = DeviceBuffer(device, count * sizeof(std::int32_t), "a batch's indices");
    device.upload(resident_.data(), pictures_.pixels(0), resident_.size());
    device.upload(all_indices_.data(), all.data(), all_indices_.size());
    device.synchronise();
  }
}

WholeStep::~WholeStep() { device_.synchronise(); }

void WholeStep::forward() {
  plan_.forward(
      DeviceImages{.pictures = resident_.as<std::uint8_t>().data(), .indices = indices_.as<std::int32_t>().data()},
      Step{});
}

void WholeStep::begin() {
  const auto turn = static_cast<std::size_t>(number_ % kBatches);
  const Batch& batch = batches_[turn];
  if (step_) return step_->run(batch, number_++, config_.rate);
  const bool is_first = number_++ == 0;
  if (device_.is_cpu()) return plan_.forward(batch.images, Step{});
  device_.copy(indices_.data(), all_indices_.data() + turn * indices_.size(), indices_.size());
  // The first is done call by call, so that what is made once is not captured.
  if (is_first || options_.replay == Replay::kCallByCall) return forward();
  plan_.prepare();
  if (!captured_) captured_ = device_.capture([this] { forward(); });
  captured_->run();
}

std::vector<double> WholeStep::time(int count) {
  std::vector<std::unique_ptr<Event>> events;
  for (int i = 0; i <= count; ++i) events.push_back(device_.make_event());
  events.front()->record();
  for (int i = 1; i <= count; ++i) {
    begin();
    events[static_cast<std::size_t>(i)]->record();
  }
  std::vector<double> seconds;
  for (std::size_t i = 1; i < events.size(); ++i) seconds.push_back(events[i]->seconds_since(*events[i - 1]));
  return seconds;
}

double WholeStep::run_and_read() {
  if (!step_) {
    begin();
    return plan_.read_logits()[0];
  }
  step_->set_metrics({});
  begin();
  const StepReport report = step_->report();
  return report.sums.loss_sum / static_cast<double>(report.sums.rows);
}

double WholeStep::flops() const {
  double forward = 0;
  for (const auto& node : plan_.nodes()) forward += node.flops;
  return options_.mode == Mode::kTrain ? 3 * forward : forward;
}

}  // namespace cudacards::bench
