// One whole training step on the CPU: pictures in, forward, loss, backward, Adam. Prints one line of JSON with the
// fields that bench/peers/*_step.py print; bench/compare_cpu.py sets them side by side.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/training_step.h"
#include "host/runtime/cpu.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"
#include "host/train/words.h"

namespace cudacards {
namespace {

struct Options {
  std::string arch = "cnn", precision = "fp32", impl = "auto";
  int batch = 32, image_size = 224, classes = 53, threads = 0, steps = 10, warmup = 3;
  bool unfused = false;
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

nlohmann::ordered_json measure(const Options& options) {
  set_threads(options.threads);
  bench::TrainingStep step(options.arch,
                           {.height = options.image_size, .width = options.image_size, .classes = options.classes},
                           {.batch = options.batch,
                            .precision = from_word<DType>(options.precision, "--precision"),
                            .impl = impl_rules(options.impl),
                            .fuse = !options.unfused});

  std::vector<double> milliseconds, losses;
  for (int i = 0; i < options.warmup + options.steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    losses.push_back(step.run());
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    if (i >= options.warmup) milliseconds.push_back(elapsed.count());
  }

  auto sorted = milliseconds;
  std::sort(sorted.begin(), sorted.end());
  const double median = (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
  nlohmann::ordered_json nodes = nlohmann::ordered_json::object();
  for (const auto& node : step.plan().nodes()) {
    if (!node.implementation.empty()) nodes[node.name] = node.implementation;
  }
  return {{"program", "cudacards"},
          {"arch", options.arch},
          {"precision", options.precision},
          {"batch", options.batch},
          {"image_size", options.image_size},
          {"classes", options.classes},
          {"threads", threads()},
          {"variant", {{"impl", options.impl}, {"fused", !options.unfused}}},
          {"steps", options.steps},
          {"ms_per_step", median},
          {"ms_per_step_min", sorted.front()},
          {"images_per_second", options.batch / median * 1e3},
          {"peak_rss_bytes", peak_rss_bytes()},
          {"planned_bytes", step.plan().planned_bytes()},
          {"first_loss", losses.front()},
          {"last_loss", losses.back()},
          {"cpu", cpu_info().model},
          {"ms", milliseconds},
          {"implementations", nodes}};
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app("One whole training step on the CPU, timed; prints JSON");
  app.add_option("--arch", options.arch, "model")->capture_default_str();
  app.add_option("--precision", options.precision, "fp32 or bf16")->capture_default_str();
  app.add_option("--impl", options.impl, "auto, hand, vendor, reference, an implementation; NODE=one of these")
      ->capture_default_str();
  app.add_flag("--unfused", options.unfused, "one node a layer");
  app.add_option("--batch", options.batch, "pictures a step")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--image-size", options.image_size, "height and width")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--classes", options.classes, "classes")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--threads", options.threads, "0: one a core")->capture_default_str()->check(CLI::NonNegativeNumber);
  app.add_option("--steps", options.steps, "timed steps")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--warmup", options.warmup, "steps before the clock starts")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  std::puts(measure(options).dump().c_str());
  return 0;
}

}  // namespace
}  // namespace cudacards

int main(int argc, char** argv) {
  try {
    return cudacards::run(argc, argv);
  } catch (const cudacards::Error& error) {
    fmt::print(stderr, "step_cpu: {}\n", error.what());
    return error.exit_code();
  }
}
