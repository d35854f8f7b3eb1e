// cudacards summary: a model's layers, parameters, work and memory.

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <optional>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/report/summary.h"
#include "host/runtime/device_choice.h"
#include "host/runtime/threads.h"
#include "host/train/presets.h"
#include "models/registry.h"

namespace cudacards::cli {
namespace {

struct SummaryCommand {
  std::string arch = "cnn", preset, device = "auto";
  int threads = 0;
  std::vector<std::function<void(RunConfig&)>> changes;  // what the options say of the model
  std::optional<int> classes, batch;
  std::optional<Precision> precision;
  PlanOptions plan;
  Tune tune = Tune::kAuto;
  bool infer = false, show_plan = false, json = false;
};

/// A plan for a GPU that is not here can only be looked at.
std::shared_ptr<const TuningTable> tuning_for(const SummaryCommand& summary, const Graph& graph,
                                              const PlanOptions& options) {
  const bool is_missing = options.target.kind == DeviceKind::kCuda && list_gpus().devices.empty();
  if (is_missing && summary.tune != Tune::kOn) return nullptr;
  return cudacards::tuning_for(graph, options, *OpenDevice(choose_device(summary.device)), summary.tune);
}

int run(const SummaryCommand& summary) {
  set_threads(summary.threads);
  RunConfig config;
  config.arch = summary.arch;
  if (!summary.preset.empty()) apply_preset(config, summary.preset);
  for (const auto& change : summary.changes) change(config);
  const Graph graph =
      build_model(config.arch, model_spec(config, summary.classes.value_or(default_classes(config.head))));
  PlanOptions options = summary.plan;
  options.batch = summary.batch.value_or(config.batch);
  options.precision = summary.precision.value_or(config.precision);
  options.mode = summary.infer ? Mode::kInfer : Mode::kTrain;
  options.target = target_of(summary.device);
  options.impl.check(graph);
  options.tuning = tuning_for(summary, graph, options);
  const Plan plan = Plan::look_at(graph, options);
  if (summary.json) {
    fmt::print("{}\n", summary_json(summary.arch, graph, plan));
    return 0;
  }
  fmt::print("{}", summary_table(graph, plan));
  if (summary.show_plan) fmt::print("\n{}", plan_table(graph, plan));
  return 0;
}

}  // namespace

void add_summary(CLI::App& app, Action& action) {
  auto summary = std::make_shared<SummaryCommand>();
  CLI::App& command = *app.add_subcommand("summary", "Show a model's layers, parameters, work and memory");
  command.add_option("--arch", summary->arch, "The model")->type_name("NAME")->capture_default_str();
  const auto change = [&summary](auto RunConfig::*field) {
    return [summary = summary.get(), field](const auto& value) {
      summary->changes.emplace_back([=](RunConfig& c) { c.*field = value; });
    };
  };
  command.add_option("--preset", summary->preset, "The model as `train --preset NAME` would make it")
      ->type_name("NAME")
      ->default_str("none");
  command
      .add_option_function<float>("--width", change(&RunConfig::width),
                                  "Multiplier of mobilenetv2's channels: " + widths_of_models())
      ->type_name("N")
      ->default_str("1, or the preset's");
  add_word_option<Head>(command, "--head", change(&RunConfig::head), "What follows mobilenetv2's features")
      ->default_str("linear, or the preset's");
  add_freeze_option(command, change(&RunConfig::freeze))->default_str("none, or the preset's");
  add_word_option<BatchNorms>(command, "--bn", change(&RunConfig::batch_norms), kBatchNormsHelp)
      ->default_str("batch, or the preset's");
  command.add_option_function<int>("--image-size", change(&RunConfig::image_size), "Pictures of N x N")
      ->type_name("N")
      ->check(CLI::Range(8, 4096))
      ->default_str("224, or the preset's");
  command.add_option("--classes", summary->classes, "Classes")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000))
      ->default_str(fmt::format("{}, the head imagenet: {}", kCardClasses, kImagenetLogits));
  command.add_option("--batch", summary->batch, "Pictures at a time")
      ->type_name("N")
      ->check(CLI::Range(1, 65536))
      ->default_str("32");
  add_word_option<Precision>(
      command, "--precision", [summary = summary.get()](Precision precision) { summary->precision = precision; },
      "What is computed in")
      ->default_str("fp32, or the preset's");
  command
      .add_option("--device", summary->device,
                  "auto, cpu, cuda, cuda:N or emulated (a GPU in software, for tiny sizes)")
      ->type_name("DEVICE")
      ->capture_default_str();
  add_impl(command, summary->plan.impl);
  add_tune(command, summary->tune);
  add_threads(command, summary->threads);
  command.add_flag("--infer", summary->infer, "Plan for inference instead of training");
  command.add_flag("--plan", summary->show_plan, "Add each node's implementation, and why others refused");
  command.add_flag("--json", summary->json, "Print JSON");
  command.callback([summary, &action] { action = [summary] { return run(*summary); }; });
}

}  // namespace cudacards::cli
