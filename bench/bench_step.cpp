// Whole training steps and inference on the CPU at 224 x 224 and 53 classes. Names are step/model/precision/batch and
// infer/model/precision/batch; a model with widths is named with its width, mobilenetv2-0.35.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/training_step.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

/// A model at one of its widths.
struct Variant {
  std::string name, arch;
  ModelSpec spec;
};

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const auto& model : models()) {
    if (!model.has_widths_and_heads) {
      all.push_back({model.name, model.name, {}});
      continue;
    }
    for (const float width : {0.35f, 1.0f})
      all.push_back({fmt::format("{}-{}", model.name, width), model.name, {.width_multiplier = width}});
  }
  return all;
}

void time_step(benchmark::State& state, const Variant& variant, DType precision, int batch) {
  bench::TrainingStep step(variant.arch, variant.spec, {.batch = batch, .precision = precision});
  double forward_flops = 0;
  for (const auto& node : step.plan().nodes()) forward_flops += node.flops;
  for (auto _ : state) benchmark::DoNotOptimize(step.run());
  const auto steps = static_cast<double>(state.iterations());
  state.counters["img/s"] = benchmark::Counter(steps * batch, benchmark::Counter::kIsRate);
  // Both gradients of a layer cost as much as its forward pass each; what an implementation saves shows as a higher
  // rate.
  state.counters["FLOP/s"] = benchmark::Counter(3 * steps * forward_flops, benchmark::Counter::kIsRate);
}

void time_inference(benchmark::State& state, const Variant& variant, DType precision, int batch) {
  const Graph graph = build_model(variant.arch, variant.spec);
  Parameters parameters(graph);
  parameters.initialise(bench::kSeed);
  Plan plan = Plan::make(graph, parameters, {.batch = batch, .precision = precision, .mode = Mode::kInfer});
  const auto batches = bench::random_batches(variant.spec, batch);
  std::size_t number = 0;
  for (auto _ : state) {
    plan.forward({.images = batches[number++ % batches.size()].images, .transforms = {}}, Step{});
    benchmark::DoNotOptimize(plan.logits());
  }
  state.counters["img/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * batch, benchmark::Counter::kIsRate);
}

void add(const std::string& name, void (*time)(benchmark::State&, const Variant&, DType, int), const Variant& variant,
         DType precision, int batch) {
  benchmark::RegisterBenchmark(fmt::format("{}/{}/{}/{}", name, variant.name, name_of(precision), batch).c_str(),
                               [=](benchmark::State& state) { time(state, variant, precision, batch); })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

void add_steps() {
  for (const Variant& variant : variants()) {
    for (const DType precision : {DType::kF32, DType::kBf16}) {
      for (const int batch : {1, 32}) {
        add("step", time_step, variant, precision, batch);
        add("infer", time_inference, variant, precision, batch);
      }
    }
  }
}

}  // namespace
}  // namespace cudacards

int main(int argc, char** argv) {
  cudacards::set_threads(0);
  cudacards::add_steps();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
