// Whole training steps on the CPU at 224 x 224 and 53 classes. Names are step/model/precision/batch.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/training_step.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

void time_step(benchmark::State& state, const std::string& arch, DType precision, int batch) {
  bench::TrainingStep step(arch, {}, {.batch = batch, .precision = precision});
  double forward_flops = 0;
  for (const auto& node : step.plan().nodes()) forward_flops += node.flops;
  for (auto _ : state) benchmark::DoNotOptimize(step.run());
  const auto steps = static_cast<double>(state.iterations());
  state.counters["img/s"] = benchmark::Counter(steps * batch, benchmark::Counter::kIsRate);
  // Both gradients of a layer cost as much as its forward pass each; what an implementation saves shows as a higher
  // rate.
  state.counters["FLOP/s"] = benchmark::Counter(3 * steps * forward_flops, benchmark::Counter::kIsRate);
}

void add_steps() {
  for (const auto& model : models()) {
    for (const DType precision : {DType::kF32, DType::kBf16}) {
      for (const int batch : {1, 32}) {
        const std::string arch = model.name;
        benchmark::RegisterBenchmark(fmt::format("step/{}/{}/{}", arch, name_of(precision), batch).c_str(),
                                     [=](benchmark::State& state) { time_step(state, arch, precision, batch); })
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
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
