#include "host/train/run_report.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include <fmt/format.h>

#include "host/data/files.h"
#include "host/data/seen_picture.h"
#include "host/ops/softmax_loss.h"
#include "host/ops/vendor/onednn_version.h"
#include "host/report/report_picture.h"
#include "host/report/table.h"
#include "host/runtime/cpu.h"
#include "host/runtime/error.h"
#include "host/train/checkpoint.h"
#include "host/train/evaluate.h"
#include "host/train/features.h"
#include "host/train/metrics.h"
#include "host/train/model.h"
#include "host/train/profile.h"
#include "host/train/run_folder.h"
#include "host/train/training_data.h"
#include "host/train/words.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMistakes = 24;  // shown a split
constexpr std::size_t kTrainingPictures = 36;
constexpr int kProfileSteps = 3;

// ---- the best weights against a split

struct Miss {
  std::int64_t picture = 0;
  std::int32_t truth = 0, guess = 0;
  float probability = 0, probability_of_truth = 0;
};

/// Keeps the surest.
void keep(std::vector<Miss>& misses, const Miss& miss) {
  misses.push_back(miss);
  std::ranges::stable_sort(misses, std::ranges::greater(), &Miss::probability);
  if (misses.size() > kMistakes) misses.pop_back();
}

SplitResult try_weights(Model& model, const std::string& split, const Pictures& pictures, const std::string& root) {
  const std::vector<std::string>& classes = model.classes();
  SplitResult result{.name = split, .confusion = Confusion(classes)};
  std::vector<Miss> misses;
  std::vector<float> probabilities(classes.size());
  const auto visit = [&](std::int64_t picture, std::int32_t label, std::int32_t winner, std::span<const float> logits) {
    if (winner < 0) return;  // no number, no guess
    result.confusion.add(static_cast<std::size_t>(label), static_cast<std::size_t>(winner));
    if (winner == label) return;
    softmax_rows(logits.data(), 1, static_cast<std::int64_t>(classes.size()), probabilities.data());
    keep(misses, {picture, label, winner, probabilities[static_cast<std::size_t>(winner)],
                  probabilities[static_cast<std::size_t>(label)]});
  };
  const EvalReport figures = evaluate(model.plan(), pictures, classes, {.visit = visit});
  result.loss = figures.loss;
  result.top5_accuracy = figures.top5_accuracy;
  for (const Miss& miss : misses) {
    const std::string path = printable_below(pictures.sample(miss.picture).path, root);
    result.mistakes.push_back(
        {.path = path,
         .truth = classes[static_cast<std::size_t>(miss.truth)],
         .guess = classes[static_cast<std::size_t>(miss.guess)],
         .probability = miss.probability,
         .probability_of_truth = miss.probability_of_truth,
         .picture = report_picture(path, pictures.pixels(miss.picture), pictures.height(), pictures.width())});
  }
  return result;
}

void add_split(RunReport& report, Model& model, const std::string& split, const std::vector<Sample>& samples,
               const std::string& root) {
  if (samples.empty()) return;
  const Pictures pictures = decode_pictures(samples, model.height(), model.width(), kBadLimit, model.classes());
  for (const BadFile& bad : pictures.bad())
    report.notes.push_back(fmt::format("{} was passed over: {}", printable(bad.path), bad.reason));
  report.splits.push_back(try_weights(model, split, pictures, root));
  const std::int64_t without_guess = pictures.size() - report.splits.back().confusion.total();
  if (without_guess > 0) {
    report.notes.push_back(
        fmt::format("{}: for {} of {} pictures the network gave no numbers (NaN); they are in no figure.", split,
                    without_guess, pictures.size()));
  }
}

// ---- the pictures that it learned from

/// Pictures spread over the whole split, and so over the classes, as epoch 0 saw them.
std::vector<ReportPicture> training_pictures(const RunConfig& config, const Dataset& dataset) {
  const std::size_t count = std::min(kTrainingPictures, dataset.train.size());
  std::vector<ReportPicture> pictures;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t index = i * dataset.train.size() / count;
    const Sample& sample = dataset.train[index];
    try {
      const Image seen = seen_picture(sample.path, config.image_size, config.augment, config.seed, index);
      pictures.push_back(report_picture(dataset.classes[static_cast<std::size_t>(sample.label)], seen.pixels.get(),
                                        seen.height, seen.width));
    } catch (const Error&) {
      continue;  // training named it
    }
  }
  return pictures;
}

BarChart class_counts(const Dataset& dataset) {
  BarChart chart{.title = "Pictures a class", .series = {"train", "valid", "test"}};
  std::vector<std::vector<double>> counts(dataset.classes.size(), std::vector<double>(3));
  const std::vector<Sample>* splits[] = {&dataset.train, &dataset.valid, &dataset.test};
  for (std::size_t split = 0; split < 3; ++split) {
    for (const Sample& sample : *splits[split]) ++counts[static_cast<std::size_t>(sample.label)][split];
  }
  for (std::size_t i = 0; i < counts.size(); ++i) chart.rows.push_back({dataset.classes[i], counts[i]});
  return chart;
}

// ---- facts

std::string augmentation_text(const AugmentOptions& a) {
  if (!a.enabled()) return "none";
  std::string text;
  const auto add = [&](float value, const std::string& words) {
    if (value > 0) text += (text.empty() ? "" : ", ") + words;
  };
  add(a.rotation_degrees, fmt::format("rotation {:g} degrees", a.rotation_degrees));
  add(a.scale, fmt::format("scale {:g} %", 100 * a.scale));
  add(a.shift, fmt::format("shift {:g} %", 100 * a.shift));
  add(a.perspective, fmt::format("perspective {:g} %", 100 * a.perspective));
  add(a.brightness, fmt::format("brightness {:g} %", 100 * a.brightness));
  add(a.contrast, fmt::format("contrast {:g} %", 100 * a.contrast));
  add(a.blur_probability, fmt::format("blur of {:g} %", 100 * a.blur_probability));
  add(a.erase_probability, fmt::format("erasing in {:g} %", 100 * a.erase_probability));
  return text;
}

std::vector<Fact> facts_of(const Checkpoint& checkpoint, const Graph& graph) {
  const RunConfig& c = checkpoint.config;
  const std::string rate = c.schedule == ScheduleKind::kConstant
                               ? fmt::format("{:g}", c.rate)
                               : fmt::format("{:g}, {} to {:g}", c.rate, word_of(c.schedule), c.rate * c.final_rate);
  std::vector<Fact> facts = {
      {"model", fmt::format("{}, {} parameters", c.arch, with_commas(graph.parameter_count()))},
      {"data", printable(!c.data.empty()         ? c.data
                         : !c.data_train.empty() ? c.data_train
                                                 : "a drawn deck")},
      {"classes", fmt::format("{}", checkpoint.classes.size())},
      {"training pictures", with_commas(checkpoint.state.pictures)},
      {"picture size", fmt::format("{} x {}", c.image_size, c.image_size)},
      {"augmentation", augmentation_text(c.augment)},
      {"preset", c.preset},
      {"epochs", fmt::format("{} of {}", checkpoint.state.epoch, c.epochs)},
      {"batch", fmt::format("{}", c.batch)},
      {"optimizer", fmt::format("{}, weight decay {:g}", word_of(c.optimizer.kind), c.optimizer.weight_decay)},
      {"learning rate", rate + (c.warmup_epochs > 0 ? fmt::format(", warm-up {:g} {}", c.warmup_epochs,
                                                                  c.warmup_epochs == 1 ? "epoch" : "epochs")
                                                    : "")},
      {"label smoothing", fmt::format("{:g}", c.label_smoothing)},
      {"averaged weights", c.ema_decay > 0 ? fmt::format("decay {:g}", c.ema_decay) : "no"},
      {"dropout", fmt::format("{:g}", c.dropout)},
      {"precision", name_of(c.precision)},
      {"device", name_of(c.device)},
      {"seed", fmt::format("{}", c.seed)}};
  if (!c.weights.empty()) facts.insert(facts.begin() + 1, {"starts from", printable(c.weights)});
  return facts;
}

std::vector<Fact> environment() {
  const CpuInfo cpu = cpu_info();
  std::vector<Fact> facts = {{"cudacards", CUDACARDS_VERSION},
                             {"processor", cpu.model.empty() ? "unknown" : cpu.model},
                             {"threads", fmt::format("{}", threads())},
                             {"oneDNN", fmt::format("{}, {}", onednn_version(), onednn_instruction_set())}};
  const GpuList gpus = list_gpus();
  for (const GpuDevice& gpu : gpus.devices) facts.push_back({fmt::format("cuda:{}", gpu.index), gpu.name});
  if (!gpus.driver.empty()) facts.push_back({"CUDA driver", "for CUDA " + gpus.driver});
  return facts;
}

/// For a shell.
std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

/// Not on the emulator, whose times mean nothing.
void measure_step(RunReport& report, const Checkpoint& checkpoint, const Graph& graph, const DeviceChoice& device) {
  try {
    ProfileOptions options = profile_options(checkpoint, device);
    options.steps = kProfileSteps;
    report.profile = profile(options);
  } catch (const Error& error) {
    report.notes.push_back(fmt::format("Where a step's time goes is missing: {}", error.what()));
    return;
  }
  if (feature_layer(checkpoint.config, graph)) {
    report.notes.push_back(
        "The step that was measured begins with pictures; the run learned from features that were computed once.");
  }
}

/// What needs the data and the weights that the run was made with; either may be gone.
void look_again(RunReport& report, const std::string& run, const RunConfig& config, const RunReportOptions& options) {
  try {
    const Dataset dataset = scan_dataset(dataset_options(config));
    report.class_counts = class_counts(dataset);
    report.training_pictures = training_pictures(config, dataset);
    const std::string best = run + "/best.safetensors";
    if (!fs::exists(best)) {
      report.notes.push_back("No epoch has been finished: there are no weights to try yet.");
      return;
    }
    Model model = Model::load(best, {.batch = config.batch, .impl = config.impl, .device = options.device});
    add_split(report, model, "valid", dataset.valid, config.data);
    add_split(report, model, "test", dataset.test, config.data);
  } catch (const Error& error) {
    report.notes.push_back(fmt::format("Pictures and final figures are missing: {}", error.what()));
  }
}

}  // namespace

RunReport collect_run_report(const std::string& run, const RunReportOptions& options) {
  const Checkpoint checkpoint = read_checkpoint(run + "/last.safetensors");
  const RunConfig& config = checkpoint.config;
  RunReport report;
  report.name = fs::path(run).lexically_normal().filename().string();
  if (report.name.empty()) report.name = fs::path(run).lexically_normal().parent_path().filename().string();
  report.name = printable(report.name);
  const Graph graph = build_model(config.arch, model_spec(config, static_cast<int>(checkpoint.classes.size())));
  report.about = facts_of(checkpoint, graph);
  report.epochs = read_metrics(run + "/metrics.jsonl");
  report.environment = environment();
  report.config = to_toml(config);
  report.command = fmt::format("cudacards train --config {} --out NEW", quoted(printable(run + "/run.toml")));
  look_again(report, run, config, options);
  if (options.measure && options.device.kind != DeviceKind::kEmulated)
    measure_step(report, checkpoint, graph, options.device);
  return report;
}

std::string write_run_report(const std::string& run, const RunReportOptions& options) {
  const std::string path = run + "/report.html";
  write_text_file(path, run_report_html(collect_run_report(run, options)));
  return path;
}

}  // namespace cudacards
