// A whole step on a device, timed; prints one line of JSON with the fields that bench/peers/*_step.py print, so that
// bench/compare_cpu.py and bench/compare_gpu.py can set them side by side. --serve answers requests, JSON objects of
// the options, a line each.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/support/bench_options.h"
#include "bench/support/timing.h"
#include "bench/support/whole_step.h"
#include "host/runtime/cpu.h"
#include "host/runtime/device_choice.h"
#include "host/runtime/threads.h"
#include "host/train/words.h"

namespace cudacards {
namespace {

using bench::WholeStep;
using bench::WholeStepOptions;
using Json = nlohmann::ordered_json;

struct Options {
  std::string arch = "cnn", mode = "train", precision = "fp32", impl = "auto";
  int batch = 32, image_size = 224, classes = 53, steps = 10, warmup = 3;
  bool unfused = false, graph = true, tune = false;
};

std::int64_t peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  }
  return 0;
}

ImplRules impl_rules(const std::string& text) {
  ImplRules rules;
  rules.add(text, "--impl");
  return rules;
}

WholeStepOptions whole_step_options(const Options& options) {
  if (options.mode != "train" && options.mode != "infer")
    throw UsageError(fmt::format("mode is train or infer, not \"{}\"", options.mode));
  if (std::min({options.batch, options.image_size, options.classes, options.steps}) < 1 || options.warmup < 0)
    throw UsageError("batch, image size, classes and steps must be positive");
  return {.arch = options.arch,
          .batch = options.batch,
          .image_size = options.image_size,
          .classes = options.classes,
          .precision = from_word<Precision>(options.precision, "--precision"),
          .mode = options.mode == "train" ? Mode::kTrain : Mode::kInfer,
          .impl = impl_rules(options.impl),
          .tune = options.tune,
          .fuse = !options.unfused,
          .replay = options.graph ? Replay::kGraph : Replay::kCallByCall};
}

Json report(Device& device, WholeStep& step, const Options& options) {
  const double first = step.run_and_read();
  if (options.warmup > 1) step.time(options.warmup - 1);
  std::vector<double> milliseconds = step.time(options.steps);
  for (double& time : milliseconds) time *= 1e3;
  const double median = bench::median(milliseconds);
  const double last = step.run_and_read();
  Json nodes = Json::object();
  for (const auto& node : step.plan().nodes()) {
    if (!node.implementation.empty()) nodes[node.name] = node.implementation;
  }
  Json variant = {{"impl", options.impl}, {"fused", !options.unfused}, {"tuned", options.tune}};
  if (!device.is_cpu()) variant["graph"] = options.graph;
  Json json = {{"program", "cudacards"},
               {"arch", options.arch},
               {"mode", options.mode},
               {"device", name_of(device.kind())},
               {"precision", options.precision},
               {"batch", options.batch},
               {"image_size", options.image_size},
               {"classes", options.classes},
               {"threads", threads()},
               {"variant", variant},
               {"steps", options.steps},
               {"ms_per_step", median},
               {"ms_per_step_min", *std::ranges::min_element(milliseconds)},
               {"images_per_second", options.batch / median * 1e3},
               {"peak_rss_bytes", peak_rss_bytes()},
               {"planned_bytes", step.plan().planned_bytes()},
               {"first_loss", first},
               {"last_loss", last},
               {"cpu", cpu_info().model},
               {"ms", milliseconds},
               {"implementations", nodes}};
  if (!device.is_cpu()) json["gpu"] = device.name();
  return json;
}

Options options_of(const nlohmann::json& request) {
  Options o;
  const auto take = [&](const char* name, auto& value) {
    if (request.contains(name)) request.at(name).get_to(value);
  };
  take("arch", o.arch);
  take("mode", o.mode);
  take("precision", o.precision);
  take("impl", o.impl);
  take("batch", o.batch);
  take("image_size", o.image_size);
  take("classes", o.classes);
  take("steps", o.steps);
  take("warmup", o.warmup);
  take("unfused", o.unfused);
  take("graph", o.graph);
  take("tune", o.tune);
  static const std::vector<std::string> known = {"arch",    "mode",  "precision", "impl",    "batch", "image_size",
                                                 "classes", "steps", "warmup",    "unfused", "graph", "tune"};
  for (const auto& [name, value] : request.items()) {
    if (std::ranges::find(known, name) == known.end()) throw UsageError(fmt::format("no option \"{}\"", name));
  }
  return o;
}

/// Keeps the variants of one problem ready, so that they can be asked for in turn.
class Server {
 public:
  explicit Server(Device& device) : device_(device) {}

  void serve() {
    std::cout << Json{{"ready", true}}.dump() << std::endl;
    for (std::string line; std::getline(std::cin, line);) std::cout << answer(line).dump() << std::endl;
  }

 private:
  Json answer(const std::string& line) {
    try {
      const Options options = options_of(nlohmann::json::parse(line));
      return report(device_, step_of(whole_step_options(options)), options);
    } catch (const std::exception& error) {
      return {{"error", error.what()}};
    }
  }

  WholeStep& step_of(const WholeStepOptions& options) {
    if (!steps_.empty() && !is_same_problem(steps_.front().first, options)) steps_.clear();
    for (const auto& [known, step] : steps_) {
      if (known == options) return *step;
    }
    steps_.emplace_back(options, std::make_unique<WholeStep>(device_, options));
    return *steps_.back().second;
  }

  static bool is_same_problem(WholeStepOptions a, const WholeStepOptions& b) {
    a.impl = b.impl;
    a.tune = b.tune;
    a.fuse = b.fuse;
    a.replay = b.replay;
    return a == b;
  }

  Device& device_;
  std::vector<std::pair<WholeStepOptions, std::unique_ptr<WholeStep>>> steps_;
};

int run(int argc, char** argv) {
  Options options;
  std::string device_word = "cpu";
  int threads = 0;
  bool serve = false, calls = false;
  CLI::App app("One whole step, timed; prints JSON");
  app.add_option("--arch", options.arch, "model")->capture_default_str();
  app.add_option("--mode", options.mode, "train or infer")->capture_default_str();
  app.add_option("--device", device_word, "cpu, cuda, cuda:N or emulated")->capture_default_str();
  app.add_option("--precision", options.precision, "fp32, tf32 (on a GPU) or bf16")->capture_default_str();
  app.add_option("--impl", options.impl, "auto, hand, vendor or reference")->capture_default_str();
  app.add_flag("--tune", options.tune,
               "the fastest implementation of each node, as measured now or in the user's cache");
  app.add_flag("--unfused", options.unfused, "one node a layer");
  app.add_flag("--calls", calls, "on a device: call by call, without replay of a captured graph");
  app.add_option("--batch", options.batch, "pictures a step")->capture_default_str();
  app.add_option("--image-size", options.image_size, "height and width")->capture_default_str();
  app.add_option("--classes", options.classes, "classes")->capture_default_str();
  app.add_option("--threads", threads, "0: one a core")->capture_default_str()->check(CLI::NonNegativeNumber);
  app.add_option("--steps", options.steps, "timed steps")->capture_default_str();
  app.add_option("--warmup", options.warmup, "steps before the clock starts")->capture_default_str();
  app.add_flag("--serve", serve, "answer requests from standard input, JSON objects of these options, a line each");
  if (const auto code = bench::parse(app, argc, argv)) return *code;
  options.graph = !calls;
  set_threads(threads);
  const OpenDevice device(choose_device(device_word));
  if (serve) {
    Server(*device).serve();
    return 0;
  }
  WholeStep step(*device, whole_step_options(options));
  std::puts(report(*device, step, options).dump().c_str());
  return 0;
}

}  // namespace
}  // namespace cudacards

int main(int argc, char** argv) { return cudacards::bench::guarded("step", argc, argv, cudacards::run); }
