// One whole training step on the CPU: pictures in, forward, loss, backward, Adam. Prints one line of JSON with the
// fields that bench/peers/*_step.py print; bench/compare_cpu.py sets them side by side.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "host/graph/plan.h"
#include "host/ops/optimizer.h"
#include "host/ops/softmax_loss.h"
#include "host/runtime/cpu.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"
#include "host/train/words.h"
#include "kernels/base/philox.h"
#include "models/registry.h"

namespace cudacards {
namespace {

constexpr int kBatches = 3;  // taken in turn, so that no step finds its pictures in the cache
constexpr std::uint64_t kSeed = 1234;

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

struct LabelledBatch {
  std::vector<std::uint8_t> pixels;  // (N,H,W,3)
  std::vector<const std::uint8_t*> images;
  std::vector<std::int32_t> labels;
};

std::vector<LabelledBatch> random_batches(const Options& options) {
  const std::size_t picture =
      std::size_t{3} * static_cast<std::size_t>(options.image_size) * static_cast<std::size_t>(options.image_size);
  std::vector<LabelledBatch> batches(kBatches);
  for (std::uint32_t b = 0; b < kBatches; ++b) {
    LabelledBatch& batch = batches[b];
    batch.pixels.resize(picture * static_cast<std::size_t>(options.batch));
    for (std::size_t i = 0; i < batch.pixels.size(); ++i) {
      const Random4 words = random4(kSeed, RandomPurpose::kShuffle, i >> 4, b, 0);  // 16 bytes of pixels each
      batch.pixels[i] = static_cast<std::uint8_t>(words.v[i / 4 % 4] >> (i % 4 * 8));
    }
    for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(options.batch); ++i) {
      batch.images.push_back(batch.pixels.data() + picture * i);
      batch.labels.push_back(static_cast<std::int32_t>(random4(kSeed, RandomPurpose::kShuffle, 0, b, i + 1).v[0] %
                                                       static_cast<std::uint32_t>(options.classes)));
    }
  }
  return batches;
}

nlohmann::ordered_json measure(const Options& options) {
  set_threads(options.threads);
  const Graph graph = build_model(
      options.arch, {.height = options.image_size, .width = options.image_size, .classes = options.classes});
  Parameters parameters(graph);
  parameters.initialise(kSeed);
  Plan plan = Plan::make(graph, parameters,
                         {.batch = options.batch,
                          .precision = from_word<DType>(options.precision, "--precision"),
                          .impl = from_word<ImplChoice>(options.impl, "--impl"),
                          .fuse = !options.unfused});
  const auto segments = parameters.segments();
  const std::size_t size = static_cast<std::size_t>(parameters.size());
  Buffer moments(2 * size * sizeof(float), "Adam's moments");
  const auto batches = random_batches(options);

  std::vector<double> milliseconds, losses;
  for (int i = 0; i < options.warmup + options.steps; ++i) {
    const LabelledBatch& batch = batches[static_cast<std::size_t>(i % kBatches)];
    const Step step{.training = true, .seed = kSeed, .number = static_cast<std::uint64_t>(i)};
    const auto start = std::chrono::steady_clock::now();
    plan.forward({.images = batch.images, .transforms = {}}, step);
    const auto loss = softmax_loss(plan.logits(), batch.labels.data(), options.batch, options.batch, options.classes,
                                   0.0f, plan.diff_logits());
    plan.backward(step);
    optimizer_step({}, segments, 1e-3f, step.number, parameters.values(), plan.gradients(),
                   moments.as<float>().first(size), moments.as<float>().last(size));
    parameters.touch();
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    if (i >= options.warmup) milliseconds.push_back(elapsed.count());
    losses.push_back(loss.loss_sum / options.batch);
  }

  auto sorted = milliseconds;
  std::sort(sorted.begin(), sorted.end());
  const double median = (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
  nlohmann::ordered_json nodes = nlohmann::ordered_json::object();
  for (const auto& node : plan.nodes()) {
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
          {"planned_bytes", plan.planned_bytes()},
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
  app.add_option("--impl", options.impl, "auto, vendor or reference")->capture_default_str();
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
