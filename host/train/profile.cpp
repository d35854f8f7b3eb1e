#include "host/train/profile.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>

#include "host/data/noise_pictures.h"
#include "host/runtime/device_buffer.h"
#include "host/runtime/median.h"
#include "host/runtime/profiler_range.h"
#include "host/runtime/threads.h"
#include "host/train/schedule.h"
#include "host/train/training_step.h"
#include "models/registry.h"

namespace cudacards {
namespace {

constexpr int kBatches = 4;  // taken in turn
constexpr int kWarmUp = 3;   // on a device the first step loads kernels and the second captures the graph

/// Times every range by events, in the order in which they come, which is the same in every step.
class PartTimer final : public RangeListener {
 public:
  explicit PartTimer(Device& device) : device_(device) {}

  void begin(const std::string& name, const char* part) override {
    if (next_ == marks_.size())
      marks_.push_back({name, part != nullptr, device_.make_event(), device_.make_event(), {}, {}, {}});
    marks_[next_].counts_before = device_.counts();
    marks_[next_].start->record();
  }

  void end() override {
    Mark& mark = marks_[next_++];
    mark.end->record();
    mark.counts = device_.counts() - mark.counts_before;
  }

  /// After the step's work is done.
  void finish_step() {
    for (Mark& mark : marks_) mark.seconds.push_back(mark.end->seconds_since(*mark.start));
    next_ = 0;
  }

  /// What has been heard of `name` goes to its row.
  void fill(ProfileRow& row) const {
    for (const Mark& mark : marks_) {
      if (mark.name == row.name) {
        (mark.is_backward ? row.backward_seconds : row.forward_seconds) += median(mark.seconds);
        row.counts += mark.counts;
      }
    }
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const Mark& mark : marks_) {
      if (std::ranges::find(names, mark.name) == names.end()) names.push_back(mark.name);
    }
    return names;
  }

 private:
  struct Mark {
    std::string name;
    bool is_backward;
    std::unique_ptr<Event> start, end;
    std::vector<double> seconds;
    WorkCounts counts_before, counts;
  };
  Device& device_;
  std::vector<Mark> marks_;
  std::size_t next_ = 0;
};

/// Listens, and has the device's own profiler record, for as long as it lives.
class Watch {
 public:
  Watch(Device& device, RangeListener& listener) : device_(device), before_(set_range_listener(&listener)) {
    device_.start_profiler();
  }
  ~Watch() {
    device_.stop_profiler();
    set_range_listener(before_);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  Device& device_;
  RangeListener* before_;
};

class Subject {
 public:
  Subject(const ProfileOptions& options, Device& device)
      : config_(options.config),
        mode_(options.mode),
        device_(device),
        graph_(build_model(config_.arch, model_spec(config_, options.classes))),
        parameters_(graph_),
        plan_(Plan::make(graph_, parameters_, plan_of(options), device)),
        pictures_(noise_pictures(std::int64_t{kBatches} * config_.batch, config_.image_size, config_.image_size,
                                 options.classes)),
        loader_(pictures_, {.batch = config_.batch,
                            .seed = config_.seed,
                            .shuffle = true,
                            .augment = mode_ == Mode::kTrain ? config_.augment : AugmentOptions{}}) {
    parameters_.initialise(config_.seed);
    if (mode_ == Mode::kTrain) {
      make_step();
    } else if (!device.is_cpu()) {
      send_pictures();
    }
  }

  const Plan& plan() const { return plan_; }

  void run() {
    const Batch& batch = loader_.batch(0, static_cast<std::int64_t>(number_ % kBatches));
    if (step_) {
      step_->run(batch, number_, rate_at(config_, number_, loader_.batches()));
    } else if (device_.is_cpu()) {
      plan_.forward(batch.images, Step{.training = false});
    } else {
      plan_.forward(resident_, Step{.training = false});
    }
    ++number_;
  }

 private:
  PlanOptions plan_of(const ProfileOptions& options) const {
    PlanOptions plan = plan_options(config_, device_.target());
    plan.mode = mode_;
    plan.tuning = options.choices ? options.choices : tuning_for(graph_, plan, device_, config_.tune);
    return plan;
  }

  void make_step() {
    const auto bytes = static_cast<std::size_t>(parameters_.size()) * sizeof(float);
    moment1_ = Buffer(bytes, "the optimizer's first moment");
    moment2_ = Buffer(config_.optimizer.kind == OptimizerKind::kSgd ? 0 : bytes, "the optimizer's second moment");
    average_ = Buffer(config_.ema_decay > 0 ? bytes : 0, "the averaged parameters");
    const TrainedValues values{parameters_, moment1_.as<float>(), moment2_.as<float>(), average_.as<float>()};
    step_ = device_.is_cpu() ? make_host_step(plan_, config_, values)
                             : make_device_step(plan_, config_, values, pictures_, DataPlace::kResident);
  }

  void send_pictures() {
    const auto picture =
        static_cast<std::size_t>(config_.image_size) * static_cast<std::size_t>(config_.image_size) * 3;
    const auto count = static_cast<std::size_t>(config_.batch);
    on_device_ = DeviceBuffer(device_, count * picture, "the pictures");
    indices_ = DeviceBuffer(device_, count * sizeof(std::int32_t), "their indices");
    std::vector<std::int32_t> order(count);
    for (std::size_t i = 0; i < count; ++i) {
      order[i] = static_cast<std::int32_t>(i);
      device_.upload(on_device_.data() + i * picture, pictures_.pixels(static_cast<std::int64_t>(i)), picture);
    }
    device_.upload(indices_.data(), order.data(), indices_.size());
    device_.synchronise();
    resident_ = {.pictures = on_device_.as<std::uint8_t>().data(), .indices = indices_.as<std::int32_t>().data()};
  }

  const RunConfig config_;
  const Mode mode_;
  Device& device_;
  const Graph graph_;
  Parameters parameters_;
  Plan plan_;
  const Pictures pictures_;
  Loader loader_;
  Buffer moment1_, moment2_, average_;
  std::unique_ptr<TrainingStep> step_;  // of training
  DeviceBuffer on_device_, indices_;    // for inference on a device
  DeviceImages resident_;
  std::uint64_t number_ = 0;
};

double seconds_of(Device& device, const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  device.synchronise();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Of steps in a row, as training asks for them: on a device the host runs ahead.
std::vector<double> step_seconds(Device& device, Subject& subject, int steps) {
  std::vector<std::unique_ptr<Event>> marks;
  for (int i = 0; i <= steps; ++i) marks.push_back(device.make_event());
  device.synchronise();
  marks.front()->record();
  for (int i = 1; i <= steps; ++i) {
    subject.run();
    marks[static_cast<std::size_t>(i)]->record();
  }
  std::vector<double> seconds;
  for (std::size_t i = 1; i < marks.size(); ++i) seconds.push_back(marks[i]->seconds_since(*marks[i - 1]));
  return seconds;
}

/// Nodes in their order, then what else the step consists of.
std::vector<ProfileRow> rows_of(const Plan& plan, const PartTimer& timer) {
  std::vector<ProfileRow> rows;
  for (const PlanNode& node : plan.nodes()) {
    if (node.operation->is_view()) continue;
    rows.push_back({.name = node.name,
                    .implementation = node.implementation,
                    .flops = flops_of(node),
                    .bytes = least_bytes_of(node)});
  }
  for (const std::string& name : timer.names()) {
    if (std::ranges::find(rows, name, &ProfileRow::name) == rows.end()) rows.push_back({.name = name});
  }
  for (ProfileRow& row : rows) timer.fill(row);
  return rows;
}

}  // namespace

ProfileOptions profile_options(const Checkpoint& run, const DeviceChoice& device) {
  ProfileOptions options{
      .config = run.config, .classes = static_cast<int>(run.classes.size()), .device = device, .choices = {}};
  options.config.device = device.kind;
  options.config.precision = on_device(run.config.precision, device.kind);
  if (!run.choices.entries.empty()) options.choices = std::make_shared<TuningTable>(run.choices);
  return options;
}

Profile profile(const ProfileOptions& options) {
  const OpenDevice device(options.device);
  Subject subject(options, *device);
  std::vector<double> alone = {0}, watched;
  if (device->kind() != DeviceKind::kEmulated) {  // where only counts mean something, and are the same at each step
    for (int i = 0; i < kWarmUp; ++i) subject.run();
    alone = step_seconds(*device, subject, options.steps);
  }
  PartTimer timer(*device);
  {
    const Watch watch(*device, timer);
    for (int i = 0; i < options.steps; ++i) {
      watched.push_back(seconds_of(*device, [&] { subject.run(); }));
      timer.finish_step();
    }
  }
  const RunConfig& config = options.config;
  return {.arch = config.arch,
          .device = device->name(),
          .kind = device->kind(),
          .precision = config.precision,
          .mode = options.mode,
          .batch = config.batch,
          .image_size = config.image_size,
          .steps = options.steps,
          .threads = threads(),
          .rows = rows_of(subject.plan(), timer),
          .step_seconds = median(alone),
          .watched_seconds = median(watched)};
}

}  // namespace cudacards
