// cudacards train [DATA]: from a folder of pictures to a trained model.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <exception>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/cli/stop.h"
#include "host/runtime/device_choice.h"
#include "host/runtime/error.h"
#include "host/runtime/log.h"
#include "host/train/event_stream.h"
#include "host/train/presets.h"
#include "host/train/run_report.h"
#include "host/train/trainer.h"
#include "host/train/words.h"
#include "models/registry.h"

namespace cudacards::cli {
namespace {

struct TrainCommand {
  using Change = std::function<void(RunConfig&)>;
  std::vector<Change> changes;        // what the options say, in the order of the line
  std::vector<std::string> settings;  // --set
  std::string config_file, device = "auto", resume;
  bool quiet = false, json = false;
  CLI::App* command = nullptr;
};

template <class T>
CLI::Option* add_field(TrainCommand& train, const std::string& name, T RunConfig::*field,
                       const std::string& description, const std::string& default_text, const std::string& type) {
  return train.command
      ->add_option_function<T>(
          name,
          [&train, field](const T& value) { train.changes.emplace_back([=](RunConfig& c) { c.*field = value; }); },
          description)
      ->type_name(type)
      ->default_str(default_text);
}

template <class Enum>
CLI::Option* add_word_field(TrainCommand& train, const std::string& name, Enum RunConfig::*field,
                            const std::string& description, const std::string& default_text) {
  return add_word_option<Enum>(
             *train.command, name,
             [&train, field](Enum value) { train.changes.emplace_back([=](RunConfig& c) { c.*field = value; }); },
             description)
      ->default_str(default_text);
}

/// A word needs no quotes on the command line: optimizer.kind=sgd means optimizer.kind = "sgd".
std::string as_toml(const std::string& setting) {
  const std::size_t value = setting.find('=') + 1;  // 0 where there is none
  const std::string text = setting.substr(value);
  const bool is_word = value > 0 && !text.empty() && std::isalpha(static_cast<unsigned char>(text.front())) != 0;
  if (!is_word || text == "true" || text == "false") return setting;
  return setting.substr(0, value) + '"' + text + '"';
}

DeviceChoice choose_device_of(const TrainCommand& train, const RunConfig& config) {
  const bool is_set =
      std::ranges::any_of(train.settings, [](const auto& s) { return s.starts_with("machine.device"); });
  const bool is_configured = (!train.config_file.empty() || is_set) && train.command->count("--device") == 0;
  return choose_device(is_configured ? name_of(config.device) : train.device);
}

/// The preset, then the file, then the options: later ones win.
TrainOptions effective_options(const TrainCommand& train) {
  const std::string text = train.config_file.empty() ? "" : read_config_file(train.config_file);
  const auto apply = [&](RunConfig& config) {
    apply_toml(config, text, train.config_file);
    for (const std::string& setting : train.settings) apply_toml(config, as_toml(setting), "--set " + setting);
    for (const auto& change : train.changes) change(config);
  };
  RunConfig named;
  apply(named);  // for arch, preset and device, on which the preset's values depend
  const DeviceChoice device = choose_device_of(train, named);
  TrainOptions options;
  options.gpu = device.index;
  RunConfig& config = options.config;
  config.arch = named.arch;
  config.device = device.kind;
  apply_preset(config, named.preset);
  apply(config);
  config.device = device.kind;
  validate(config);
  if (!device.reason.empty() && !train.quiet) log_note(fmt::format("training on the CPU: {}", device.reason));
  return options;
}

/// A resumed run continues as it began: options that would be passed over in silence are refused.
void refuse_changes_of_a_resumed_run(const TrainCommand& train) {
  for (const CLI::Option* option : train.command->get_options()) {
    if (option->count() == 0 || option->check_name("--resume") || option->check_name("--quiet") ||
        option->check_name("--json"))
      continue;
    throw UsageError(fmt::format("--resume continues a run as it began; leave out {}", option->get_name()));
  }
}

void tell_best(const TrainResult& result) {
  const EpochMetrics* best = best_epoch(result.epochs);
  if (best == nullptr) return;
  log_note(fmt::format("best validation accuracy {:.4f} (loss {:.4f}) after epoch {}: {}/best.safetensors",
                       best->val_accuracy, best->val_loss, best->epoch, result.run));
}

/// The page's path. A page that cannot be made is no reason to call a good run failed: then it is empty.
std::string write_report(const TrainResult& result, const TrainOptions& options) {
  try {
    const DeviceKind kind = result.device;
    RunReportOptions how{.device = kind == DeviceKind::kCuda ? choose_device(fmt::format("cuda:{}", options.gpu))
                                                             : DeviceChoice{}};
    how.measure = kind != DeviceKind::kEmulated;
    const std::string page = write_run_report(result.run, how);
    if (!options.quiet) log_note("report: " + page);
    return page;
  } catch (const Error& error) {
    log_warning(fmt::format("no report was written: {}", error.what()));
    return "";
  }
}

/// `events` is null where nobody wants them.
int run_training(const TrainCommand& train, EventStream* events) {
  TrainOptions options;
  if (train.resume.empty()) {
    options = effective_options(train);
  } else {
    refuse_changes_of_a_resumed_run(train);
    options.resume = train.resume;
  }
  options.quiet = train.quiet;
  if (events != nullptr) options.listeners = events->listeners();
  const std::atomic<int>& stop_signal = stop_on_signals();
  options.stop_requested = &stop_signal;
  const TrainResult result = cudacards::train(options);
  if (!train.quiet) tell_best(result);
  if (result.stopped)
    log_note(fmt::format("stopped and saved; continue with: cudacards train --resume {}", result.run));
  const std::string report = result.stopped ? "" : write_report(result, options);
  if (events == nullptr) {
    fmt::print("{}\n", result.run);
  } else if (result.stopped) {
    events->stopped(result, stop_signal);
  } else {
    events->finished(result, report);
  }
  return result.stopped ? 128 + stop_signal : 0;
}

/// Puts back at its end whoever listened before.
class RestoredSink {
 public:
  explicit RestoredSink(LogSink before) : before_(std::move(before)) {}
  ~RestoredSink() { set_log_sink(std::move(before_)); }
  RestoredSink(const RestoredSink&) = delete;
  RestoredSink& operator=(const RestoredSink&) = delete;

 private:
  LogSink before_;
};

/// Standard output carries events and nothing else; what people read goes to standard error as always.
int run_with_events(const TrainCommand& train) {
  EventStream events(stdout);
  const RestoredSink sink(set_log_sink([&events](LogLevel level, const std::string& line) {
    if (level == LogLevel::kWarning) events.warning(line);
    log_to_standard_error(level, line);
  }));
  try {
    return run_training(train, &events);
  } catch (const Error& error) {
    events.error(error.what(), error.exit_code());
    throw;
  } catch (const std::bad_alloc&) {
    events.error("out of memory", 1);
    throw;
  } catch (const std::exception& error) {
    events.error(error.what(), 1);
    throw;
  }
}

int run(const TrainCommand& train) { return train.json ? run_with_events(train) : run_training(train, nullptr); }

std::string names_of_models() {
  std::string names;
  for (const ModelEntry& model : models()) names += (names.empty() ? "" : ", ") + std::string(model.name);
  return names;
}

void add_data_options(TrainCommand& train) {
  add_field(train, "DATA", &RunConfig::data, "A folder with train/, valid/ and test/, or of class folders",
            "a deck that is drawn in data/deck", "");
  add_field(train, "--train", &RunConfig::data_train, "Class folders to learn from, instead of DATA", "none", "DIR");
  add_field(train, "--valid", &RunConfig::data_valid, "Class folders to validate with", "a tenth of --train", "DIR");
  add_field(train, "--test", &RunConfig::data_test, "Class folders that are only named in the run", "none", "DIR");
  add_field(train, "--image-size", &RunConfig::image_size, "Pictures are squashed to N x N",
            "224, best for mlp: 64, mobilenetv2's notebooks: 128", "N");
}

void add_run_options(TrainCommand& train) {
  add_field(train, "--arch", &RunConfig::arch, "The model: " + names_of_models(), "cnn", "NAME");
  add_field(train, "--width", &RunConfig::width, "Multiplier of mobilenetv2's channels: " + widths_of_models(),
            "that of --weights, without them 1", "N");
  add_word_field(train, "--head", &RunConfig::head, "What follows mobilenetv2's features", "linear");
  add_field(train, "--weights", &RunConfig::weights,
            "Start from these weights, as `cudacards weights import` or a run makes them; a head for other classes "
            "starts fresh",
            "random ones", "FILE");
  add_field(train, "--preset", &RunConfig::preset, "Values of all that is not given: " + descriptions_of_presets(),
            "best", "NAME");
  train.command->add_option("--config", train.config_file, "A TOML file, as a run's run.toml; options win over it")
      ->type_name("FILE")
      ->default_str("none");
  train.command
      ->add_option("--set", train.settings, "One value as in the file: --set augment.scale=0.1; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false)  // what follows is DATA
      ->default_str("none");
  add_field(train, "--out", &RunConfig::out, "The run's folder", "runs/<arch>-<n>", "RUN");
  train.command->add_option("--resume", train.resume, "Continue the run in this folder, byte for byte")
      ->type_name("RUN")
      ->default_str("none");
}

void add_training_options(TrainCommand& train) {
  add_field(train, "--epochs", &RunConfig::epochs, "Passes over the data",
            "best, finetune: 40, transfer: 60, notebooks: 10", "N");
  add_field(train, "--batch", &RunConfig::batch, "Pictures a step", "32", "N");
  add_field(train, "--lr", &RunConfig::rate, "Learning rate, the schedule's highest",
            "0.001, best for mlp: 0.0003, "
            "finetune: 0.0015, notebook-finetune: 0.0001",
            "RATE");
  add_word_field(train, "--schedule", &RunConfig::schedule, "Of the learning rate", "cosine, notebooks: constant");
  add_field(train, "--label-smoothing", &RunConfig::label_smoothing, "Share of the target spread over all classes",
            "0.1, notebooks: 0", "SHARE");
  add_field(train, "--ema", &RunConfig::ema_decay,
            "Decay of the averaged weights, which are validated and become `best`; 0: no average", "0, finetune: 0.998",
            "DECAY");
  add_field(train, "--patience", &RunConfig::patience, "Stop after N epochs without improvement; 0: never", "0", "N");
  add_field(train, "--checkpoint-steps", &RunConfig::checkpoint_steps, "Save every N steps too; 0: after each epoch",
            "0", "N");
  add_field(train, "--seed", &RunConfig::seed, "Of every random number", "1234", "N");
}

void add_fine_tuning_options(TrainCommand& train) {
  add_freeze_option(*train.command, [&train](Freeze freeze) {
    train.changes.emplace_back([=](RunConfig& c) { c.freeze = freeze; });
  })->default_str("none, transfer: backbone");
  add_word_field(train, "--bn", &RunConfig::batch_norms, kBatchNormsHelp, "batch, transfer: frozen");
  add_field(train, "--warmup", &RunConfig::warmup_epochs, "Epochs in which the learning rate rises to its highest",
            "1, notebooks: 0", "N");
  add_field(train, "--layer-decay", &RunConfig::layer_decay,
            "A block's learning rate over that of the block above it in mobilenetv2, whose head has the whole rate",
            "1, finetune: 0.95", "FACTOR");
}

void add_machine_options(TrainCommand& train) {
  train.command
      ->add_option("--device", train.device, "auto, cpu, cuda, cuda:N or emulated (a GPU in software, for tiny sizes)")
      ->type_name("DEVICE")
      ->default_str("auto");
  add_word_field(train, "--precision", &RunConfig::precision, "What is computed in; tf32 on a GPU",
                 "best, finetune: bf16 where the device multiplies it, else fp32; others: fp32");
  add_impl_option(*train.command, [&train](const std::string& rule) {
    train.changes.emplace_back([=](RunConfig& c) { c.impl.add(rule, "--impl"); });
  });
  add_tune_flags(*train.command,
                 [&train](Tune tune) { train.changes.emplace_back([=](RunConfig& c) { c.tune = tune; }); });
  add_field(train, "--threads", &RunConfig::threads, "CPU threads, part of the run's identity; 0: one a core", "0",
            "N");
  train.command->add_flag("--quiet", train.quiet, "No progress, no notes");
  train.command->add_flag("--json", train.json, "Events on standard output, a JSON object a line, as they come");
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto train = std::make_shared<TrainCommand>();
  train->command = app.add_subcommand("train", "Train a model on a folder of pictures");
  train->command->footer(
      "Prints the run's folder. Ctrl-C finishes the step and saves; before there are steps, and the second time, it "
      "leaves at once.");
  add_data_options(*train);
  add_run_options(*train);
  add_training_options(*train);
  add_fine_tuning_options(*train);
  add_machine_options(*train);
  train->command->callback([train, &action] { action = [train] { return run(*train); }; });
}

}  // namespace cudacards::cli
