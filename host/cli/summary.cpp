// cudacards summary: a model's layers, parameters, work and memory.

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/report/summary.h"
#include "host/runtime/device_choice.h"
#include "host/runtime/threads.h"
#include "models/registry.h"

namespace cudacards::cli {
namespace {

struct SummaryCommand {
  std::string arch = "cnn", device = "auto";
  int image_size = 224, threads = 0;
  std::optional<int> classes;
  float width = 1.0f;
  Head head = Head::kLinear;
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
  const Graph graph = build_model(summary.arch, {.height = summary.image_size,
                                                 .width = summary.image_size,
                                                 .classes = summary.classes.value_or(default_classes(summary.head)),
                                                 .width_multiplier = summary.width,
                                                 .head = summary.head});
  PlanOptions options = summary.plan;
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
  command.add_option("--width", summary->width, "Multiplier of mobilenetv2's channels: " + widths_of_models())
      ->type_name("N")
      ->capture_default_str();
  add_word(command, "--head", summary->head, "What follows mobilenetv2's features");
  command.add_option("--image-size", summary->image_size, "Pictures of N x N")
      ->type_name("N")
      ->check(CLI::Range(8, 4096))
      ->capture_default_str();
  command.add_option("--classes", summary->classes, "Classes")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000))
      ->default_str(fmt::format("{}, the head imagenet: {}", kCardClasses, kImagenetLogits));
  command.add_option("--batch", summary->plan.batch, "Pictures at a time")
      ->type_name("N")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  add_word(command, "--precision", summary->plan.precision, "What is computed in");
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
