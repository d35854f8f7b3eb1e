#include "host/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>

#include "host/data/loader.h"
#include "host/report/progress.h"
#include "host/report/table.h"
#include "host/runtime/device_choice.h"
#include "host/runtime/error.h"
#include "host/runtime/memory.h"
#include "host/runtime/threads.h"
#include "host/train/checkpoint.h"
#include "host/train/evaluate.h"
#include "host/train/feature_file.h"
#include "host/train/features.h"
#include "host/train/initial_weights.h"
#include "host/train/picture_feed.h"
#include "host/train/presets.h"
#include "host/train/run_folder.h"
#include "host/train/schedule.h"
#include "host/train/training_data.h"
#include "host/train/training_memory.h"
#include "host/train/training_step.h"
#include "host/train/tuning_file.h"
#include "host/train/words.h"
#include "models/registry.h"

namespace cudacards {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A device works on while the host waits for this long: a report stops both.
constexpr std::chrono::milliseconds kReportInterval{200};

Graph make_graph(const RunConfig& config, std::size_t classes) {
  return build_model(config.arch, model_spec(config, static_cast<int>(classes)));
}

Graph learning_part(const Graph& graph, std::optional<Node> feature_layer) {
  return feature_layer ? graph.above(*feature_layer) : graph;
}

enum class Beginning : std::uint8_t { kNew, kResumed };

class Trainer {
 public:
  Trainer(RunConfig config, std::string run, Graph graph, std::optional<Node> feature_layer, TrainingData data,
          Device& device, DataPlaces places, std::shared_ptr<const TuningTable> tuning, Progress& progress,
          RunListeners listeners)
      : config_(std::move(config)),
        run_(std::move(run)),
        data_(std::move(data)),
        tuning_(std::move(tuning)),
        progress_(progress),
        listeners_(std::move(listeners)),
        graph_(std::move(graph)),
        feature_layer_(feature_layer),
        parameters_(graph_),
        plan_(Plan::make(learning_part(graph_, feature_layer_), parameters_,
                         plan_options(config_, device.target(), tuning_), device)),
        loader_(data_.train,
                {.batch = config_.batch, .seed = config_.seed, .shuffle = true, .augment = config_.augment}),
        moment1_(values_bytes(), "the optimizer's first moment"),
        moment2_(config_.optimizer.kind == OptimizerKind::kSgd ? 0 : values_bytes(), "the optimizer's second moment"),
        average_(config_.ema_decay > 0 ? values_bytes() : 0, "the averaged parameters") {
    state_.pictures = data_.train.size();
    parameters_.initialise(config_.seed);
    std::ranges::copy(parameters_.values().first(average_.as<float>().size()), average_.as<float>().begin());
    const TrainedValues values{parameters_, moment1_.as<float>(), moment2_.as<float>(), average_.as<float>()};
    const Features* features = feature_layer_ ? &features_.train : nullptr;
    step_ = device.is_cpu()
                ? make_host_step(plan_, config_, values, features)
                : make_device_step(plan_, config_, values, data_.train, places.train, Replay::kGraph, features);
    if (!device.is_cpu() && !feature_layer_ && data_.valid.size() > 0)
      valid_feed_ = std::make_unique<InferenceFeed>(device, data_.valid, config_.batch, places.valid);
  }

  void resume() {
    const SafetensorsFile file = SafetensorsFile::open(run_ + "/last.safetensors");
    const Checkpoint checkpoint = read_checkpoint(file);
    check_classes(file, checkpoint, data_.classes, "the run's data");
    check_preprocessing(file, checkpoint, graph_);
    load_last(file, parameters_, moment1_.as<float>(), moment2_.as<float>(), average_.as<float>());
    state_ = checkpoint.state;
    step_->load();
    step_->set_metrics(state_.running);
    if (state_.pictures != data_.train.size()) {
      throw Error(fmt::format("{}: cannot continue: it was trained on {} pictures, the data now have {}", run_,
                              state_.pictures, data_.train.size()));
    }
    epochs_ = read_metrics(run_ + "/metrics.jsonl");
    std::erase_if(epochs_, [&](const EpochMetrics& m) {
      return m.epoch > state_.epoch;
    });  // the file may be ahead of the checkpoint
    progress_.note(fmt::format("resumed {} at epoch {}, step {} of {}", run_, state_.epoch + 1, state_.step_in_epoch,
                               loader_.batches()));
  }

  void start_from(const InitialWeights& weights) {
    weights.apply(parameters_);
    std::ranges::copy(parameters_.values().first(average_.as<float>().size()), average_.as<float>().begin());
    step_->load();
    progress_.note(weights.described());
    progress_.note(fmt::format("{} of {} parameters learn (--freeze {} --bn {})", with_commas(graph_.trainable_count()),
                               with_commas(graph_.parameter_count()), config_.freeze.to_string(),
                               word_of(config_.batch_norms)));
  }

  /// What the frozen part makes of the pictures, for a run that learns from that. After the parameters are there.
  void find_features(const std::atomic<int>* stop) {
    if (!feature_layer_) return;
    const Layer& layer = graph_.layer(*feature_layer_);
    const std::string key = key_of_features(config_, graph_, *feature_layer_, parameters_, data_, plan_.device());
    const FeatureCache cache = FeatureCache::of_user();
    if (auto known = cache.read(key, layer.shape[1], data_.train.size(), data_.valid.size())) {
      features_ = *std::move(known);
      progress_.note(fmt::format("features ({}): from {}", layer.name, cache.path(key)));
      return;
    }
    const Clock::time_point start = Clock::now();
    features_ = compute_features(config_, graph_, *feature_layer_, parameters_, data_, plan_.device(),
                                 counting("computing features", progress_, stop));
    progress_.note(fmt::format("features ({}): {} of each picture, computed in {:.1f} s", layer.name, layer.shape[1],
                               seconds_since(start)));
    cache.write(key, features_);
  }

  void tell_start(Beginning beginning) const {
    if (!listeners_.on_start) return;
    listeners_.on_start({.run = run_,
                         .config = config_,
                         .classes = data_.classes,
                         .train_pictures = data_.train.size(),
                         .valid_pictures = data_.valid.size(),
                         .parameters = graph_.parameter_count(),
                         .steps_an_epoch = loader_.batches(),
                         .epoch = state_.epoch,
                         .step = state_.step,
                         .is_resumed = beginning == Beginning::kResumed});
  }

  /// A full disk or a folder that cannot be written shows before any work.
  void save_first() { save_last(); }

  TrainResult run(const TrainOptions& options) {
    while (state_.epoch < config_.epochs && !out_of_patience()) {
      if (!train_epoch(options)) {
        save_last();
        return {run_, epochs_, config_.device, true};
      }
      finish_epoch();
    }
    return {run_, epochs_, config_.device, false};
  }

 private:
  std::size_t values_bytes() const { return static_cast<std::size_t>(parameters_.size()) * sizeof(float); }
  bool out_of_patience() const { return config_.patience > 0 && state_.epochs_without_improvement >= config_.patience; }

  /// False when it was stopped before the epoch's end.
  bool train_epoch(const TrainOptions& options) {
    epoch_start_ = Clock::now();
    seconds_before_ = state_.running.seconds;
    waited_before_ = loader_.seconds_waited();
    images_trained_ = 0;
    while (state_.step_in_epoch < loader_.batches()) {
      train_step(loader_.batch(state_.epoch, state_.step_in_epoch));
      report_step();
      if (config_.checkpoint_steps > 0 && state_.step % static_cast<std::uint64_t>(config_.checkpoint_steps) == 0)
        save_last();
      if (options.on_step) options.on_step(state_.step);
      if (options.stop_requested != nullptr && *options.stop_requested != 0) return false;
    }
    return true;
  }

  void train_step(const Batch& batch) {
    step_->run(batch, state_.step, rate());
    images_trained_ += batch.rows;
    ++state_.step;
    ++state_.step_in_epoch;
  }

  /// Takes over what the steps so far have come to. What was computed from a NaN is never taken over.
  void collect() {
    const StepReport report = step_->report();
    if (report.diverged) explain_divergence(*report.diverged);
    const double seconds = state_.running.seconds;
    state_.running = report.sums;
    state_.running.seconds = seconds;
  }

  /// The parameters are still those that `step` began with: it is done again, node by node.
  [[noreturn]] void explain_divergence(std::uint64_t step) {
    const std::int64_t index = state_.step_in_epoch - static_cast<std::int64_t>(state_.step - step);
    const std::string where = step_->find_non_finite(loader_.batch(state_.epoch, index), step);
    throw Error(
        fmt::format("training diverged: {} is not finite at step {} (epoch {}); the checkpoints in {} are from before; "
                    "try a lower --lr",
                    where.empty() ? "loss" : where, step, state_.epoch + 1, run_));
  }

  float rate() const { return rate_at(config_, state_.step, loader_.batches()); }

  void finish_epoch() {
    collect();
    const double train_seconds = seconds_since(epoch_start_);
    const EvalReport valid = evaluate_inference_weights();
    const auto rows = static_cast<double>(std::max<std::int64_t>(1, state_.running.rows));
    EpochMetrics m{.epoch = state_.epoch + 1, .step = state_.step};
    m.loss = state_.running.loss_sum / rows;
    m.accuracy = static_cast<double>(state_.running.correct) / rows;
    m.val_loss = valid.loss;
    m.val_accuracy = valid.accuracy;
    m.rate = rate_at(config_, state_.step - 1, loader_.batches());
    m.images_per_second = static_cast<double>(images_trained_) / train_seconds;
    m.seconds = seconds_of_epoch();
    epochs_.push_back(m);
    const bool is_best = update_state(m);
    save(is_best);
    progress_.epoch(m, config_.epochs, is_best);
    if (listeners_.on_epoch) listeners_.on_epoch(m, is_best);
  }

  /// Moves the state to the start of the next epoch; true where this one was the best by validation accuracy, then
  /// loss.
  bool update_state(const EpochMetrics& m) {
    const bool is_best = m.val_accuracy > state_.best_val_accuracy ||
                         (m.val_accuracy == state_.best_val_accuracy && m.val_loss < state_.best_val_loss);
    if (is_best) {
      state_.best_epoch = m.epoch;
      state_.best_val_accuracy = m.val_accuracy;
      state_.best_val_loss = m.val_loss;
    }
    state_.epochs_without_improvement = is_best ? 0 : state_.epochs_without_improvement + 1;
    ++state_.epoch;
    state_.step_in_epoch = 0;
    state_.running = {};
    step_->set_metrics({});
    return is_best;
  }

  // Best before last: whoever resumes from `last` finds the `best` that it knows of. Metrics first: they may run ahead,
  // never behind.
  void save(bool is_best) {
    write_metrics(run_, epochs_);
    step_->store();
    if (is_best) {
      save_best(run_ + "/best.safetensors", parameters_, inference_values(), checkpoint());
      tell_saved(listeners_.on_best, "best.safetensors");
    }
    save_last();
  }

  /// Of all the processes that have worked on this epoch.
  double seconds_of_epoch() const { return seconds_before_ + seconds_since(epoch_start_); }

  void save_last() {
    if (state_.step_in_epoch > 0) collect();
    step_->store();
    if (state_.step_in_epoch > 0) state_.running.seconds = seconds_of_epoch();
    cudacards::save_last(run_ + "/last.safetensors", parameters_, moment1_.as<float>(), moment2_.as<float>(),
                         average_.as<float>(), checkpoint());
    tell_saved(listeners_.on_checkpoint, "last.safetensors");
  }

  template <class Listener>
  void tell_saved(const Listener& listener, const char* file) const {
    if (listener) listener(run_ + "/" + file, state_.epoch, state_.step);
  }

  Checkpoint checkpoint() const {
    return {config_, data_.classes, preprocessing_of(graph_), tuning_ ? *tuning_ : TuningTable{}, state_};
  }

  bool averages() const { return average_.size() > 0; }
  std::span<const float> inference_values() { return averages() ? average_.as<float>() : parameters_.values(); }

  /// Evaluates with the averaged parameters where the run keeps an average, and puts the trained ones back.
  EvalReport evaluate_inference_weights() {
    step_->swap_average();
    EvalReport report = evaluate(plan_, data_.valid, data_.classes,
                                 {.feed = valid_feed_.get(), .features = feature_layer_ ? &features_.valid : nullptr});
    step_->swap_average();
    return report;
  }

  void report_step() {
    const auto now = Clock::now();
    if (!step_->reports_at_once() && now - collected_ < kReportInterval) return;
    collected_ = now;
    collect();
    const double elapsed = seconds_since(epoch_start_);
    const auto rows = static_cast<double>(std::max<std::int64_t>(1, state_.running.rows));
    const double rate = static_cast<double>(images_trained_) / elapsed;
    const std::int64_t steps_left = loader_.batches() * (config_.epochs - state_.epoch) - state_.step_in_epoch;
    progress_.step({.epoch = state_.epoch + 1,
                    .epochs = config_.epochs,
                    .step = state_.step_in_epoch,
                    .steps = loader_.batches(),
                    .loss = state_.running.loss_sum / rows,
                    .accuracy = static_cast<double>(state_.running.correct) / rows,
                    .images_per_second = rate,
                    .data_wait_share = (loader_.seconds_waited() - waited_before_) / elapsed,
                    .seconds_left = static_cast<double>(steps_left * config_.batch) / rate});
  }

  const RunConfig config_;
  const std::string run_;
  const TrainingData data_;
  const std::shared_ptr<const TuningTable> tuning_;  // what the plan's choices came from; null: the lists' order
  Progress& progress_;
  const RunListeners listeners_;
  const Graph graph_;
  const std::optional<Node> feature_layer_;  // the plan begins behind it
  SplitFeatures features_;
  Parameters parameters_;
  Plan plan_;
  Loader loader_;
  Buffer moment1_, moment2_, average_;
  std::unique_ptr<TrainingStep> step_;
  std::unique_ptr<InferenceFeed> valid_feed_;  // on a device
  TrainState state_;
  std::vector<EpochMetrics> epochs_;
  Clock::time_point epoch_start_, collected_;
  double seconds_before_ = 0;  // that earlier processes spent on this epoch
  double waited_before_ = 0;
  std::int64_t images_trained_ = 0;  // in this epoch by this process
};

/// Before any of it is taken, and before any picture is decoded. Says where the pictures will be.
DataPlaces plan_memory(const TrainOptions& options, const RunConfig& config, const Graph& whole,
                       std::optional<Node> feature_layer, const Dataset& dataset, const Device& device,
                       const std::shared_ptr<const TuningTable>& tuning, Progress& progress) {
  const Graph graph = learning_part(whole, feature_layer);
  const auto train = static_cast<std::int64_t>(dataset.train.size());
  const auto valid = static_cast<std::int64_t>(dataset.valid.size());
  std::optional<std::size_t> have = options.memory;
  if (!have) have = device.is_cpu() ? free_memory() : device.memory().free;
  DataPlaces places;
  const bool may_stream = !device.is_cpu() && !feature_layer;
  const MemoryOfBatch need_of = [&](int batch) {
    const std::int64_t streamed = PictureFeed::streamed(batch);
    std::int64_t pictures = (places.train == DataPlace::kStreamed ? streamed : train) +
                            (places.valid == DataPlace::kStreamed ? streamed : valid);
    if (!device.is_cpu() && feature_layer) pictures = 0;  // the device is sent features
    RunConfig of_batch = config;
    of_batch.batch = batch;
    TrainingMemory need = training_memory(graph, of_batch, pictures, device.target(), tuning);
    if (feature_layer) need.features = feature_memory(of_batch, whole, *feature_layer, train + valid, device.target());
    return need;
  };
  TrainingMemory need = need_of(config.batch);
  for (DataPlace* place : {&places.valid, &places.train}) {
    if (!may_stream || need.total() <= *have) break;
    *place = DataPlace::kStreamed;
    need = need_of(config.batch);
  }
  progress.note(fmt::format("{}memory: {}{}{}", device.is_cpu() ? "" : "device ", to_string(need),
                            have ? fmt::format(" of {} free", mebibytes(*have)) : "",
                            places.train == DataPlace::kStreamed   ? "; pictures are sent batch by batch"
                            : places.valid == DataPlace::kStreamed ? "; pictures for validation are sent batch by batch"
                                                                   : ""));
  if (have && need.total() > *have) require_memory(config.batch, need_of, *have, device.kind());
  return places;
}

/// The one that was chosen; a run that is resumed wants the kind that it was begun on.
DeviceChoice device_of(const TrainOptions& options, const RunConfig& config) {
  return choose_device(config.device == DeviceKind::kCuda ? fmt::format("cuda:{}", options.gpu)
                                                          : name_of(config.device));
}

/// A run repeats the choices that it has begun with, whatever has been measured since.
std::shared_ptr<const TuningTable> choices_for(const Graph& graph, const RunConfig& config, Device& device,
                                               const Checkpoint* resumed, Progress& progress) {
  if (resumed != nullptr)
    return resumed->choices.entries.empty() ? nullptr : std::make_shared<TuningTable>(resumed->choices);
  return tuning_for(graph, plan_options(config, device.target()), device, config.tune,
                    [&](const std::string& line) { progress.note(line); });
}

}  // namespace

TrainResult train(const TrainOptions& options) {
  Progress progress(options.quiet);
  const bool resumes = !options.resume.empty();
  const std::optional<Checkpoint> resumed =
      resumes ? std::optional(read_checkpoint(options.resume + "/last.safetensors")) : std::nullopt;
  RunConfig config = resumes ? resumed->config : options.config;
  validate(config);
  config.width = effective_width(config);
  config.tune = effective(config.tune, config.device);
  set_threads(config.threads);
  config.threads = threads();
  const OpenDevice device(device_of(options, config));

  // The folder is tried before any picture is decoded, and is gone again when no run comes to be in it.
  RunFolder folder = resumes ? RunFolder::existing(options.resume) : RunFolder::make(config.out, config.arch);
  config.out = folder.path();
  const Dataset dataset = find_training_data(config, progress, options.stop_requested);
  Graph graph = make_graph(config, dataset.classes.size());
  std::optional<InitialWeights> weights;
  if (!resumes && !config.weights.empty()) weights = read_initial_weights(config, graph, dataset.classes);
  const std::optional<Node> features = feature_layer(config, graph);
  const auto tuning =
      choices_for(learning_part(graph, features), config, *device, resumed ? &*resumed : nullptr, progress);
  const DataPlaces places = plan_memory(options, config, graph, features, dataset, *device, tuning, progress);
  TrainingData data = decode_training_data(dataset, config, progress, options.stop_requested);
  Trainer trainer(config, folder.path(), std::move(graph), features, std::move(data), *device, places, tuning, progress,
                  options.listeners);
  if (resumes) {
    trainer.resume();
    trainer.find_features(options.stop_requested);
    trainer.tell_start(Beginning::kResumed);
  } else {
    for (const std::string& line : preset_named(config.preset).notes) progress.note(line);
    if (weights) trainer.start_from(*weights);
    trainer.find_features(options.stop_requested);
    write_text_file(folder.path() + "/run.toml", to_toml(config));
    if (tuning) write_text_file(folder.path() + "/choices.json", to_json(*tuning));
    trainer.tell_start(Beginning::kNew);
    trainer.save_first();
    folder.keep();
  }
  return trainer.run(options);
}

}  // namespace cudacards
