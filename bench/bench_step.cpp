// Whole steps at 224 x 224 and 53 classes on a device. Names are mode/model/precision/batch/replay: train or infer; on
// a device "graph", the step replayed as one captured graph, and "calls", the same call by call.
//
//   bench_step --device cuda --batches 32,256,1 --benchmark_out=steps.json
//
// Options that begin with --benchmark_ are Google Benchmark's.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/support/bench_options.h"
#include "bench/support/device_context.h"
#include "bench/support/rows_file.h"
#include "bench/support/timing.h"
#include "bench/support/whole_step.h"
#include "host/runtime/device_choice.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"
#include "host/train/words.h"

namespace cudacards {
namespace {

using bench::WholeStep;
using bench::WholeStepOptions;

class StepBench {
 public:
  StepBench(Device& device, double seconds) : device_(device), deadline_(seconds) {}

  void run(benchmark::State& state, const WholeStepOptions& options) {
    if (deadline_.is_over()) return state.SkipWithError("out of time");
    try {
      prepare(options);
      for (auto _ : state) {
        const double seconds = bench::median(step_->time(steps_));
        times_.push_back(seconds);
        state.SetIterationTime(seconds);
      }
    } catch (const Error& error) {
      step_ = nullptr;
      return state.SkipWithError(error.what());
    }
    const double seconds = bench::median(times_);
    state.counters["median_us"] = seconds * 1e6;
    state.counters["img/s"] = options.batch / seconds;
    state.counters["TFLOP/s"] = step_->flops() / seconds * 1e-12;
  }

 private:
  // Google Benchmark calls a benchmark several times, with more and more iterations.
  void prepare(const WholeStepOptions& options) {
    if (step_ && options == options_) return;
    step_ = nullptr;
    options_ = options;
    times_.clear();
    step_ = std::make_unique<WholeStep>(device_, options);
    step_->time(device_.kind() == DeviceKind::kEmulated ? 2 : 3);  // the device's second step captures
    steps_ = device_.kind() == DeviceKind::kCuda ? 10 : 1;
  }

  Device& device_;
  const bench::Deadline deadline_;
  WholeStepOptions options_;
  std::unique_ptr<WholeStep> step_;
  int steps_ = 1;
  std::vector<double> times_;
};

void add_steps(StepBench& bench, const bench::BenchOptions& options, bool on_a_device) {
  for (const std::string& precision : options.precisions) {
    for (const int batch : options.batches) {
      for (const std::string& model : options.models) {
        for (const Mode mode : {Mode::kTrain, Mode::kInfer}) {
          for (const Replay replay : {Replay::kGraph, Replay::kCallByCall}) {
            if (replay == Replay::kGraph && !on_a_device) continue;
            const WholeStepOptions step = {.arch = model,
                                           .batch = batch,
                                           .image_size = options.image_size,
                                           .precision = from_word<Precision>(precision, "--precisions"),
                                           .mode = mode,
                                           .replay = replay};
            const std::string name = fmt::format("{}/{}/{}/{}/{}", mode == Mode::kTrain ? "train" : "infer", model,
                                                 precision, batch, replay == Replay::kGraph ? "graph" : "calls");
            benchmark::RegisterBenchmark(name.c_str(),
                                         [&bench, step](benchmark::State& state) { bench.run(state, step); })
                ->Unit(benchmark::kMicrosecond)
                ->UseManualTime();
          }
        }
      }
    }
  }
}

int run(int argc, char** argv) {
  bench::RowsFile file(argc, argv);
  if (!bench::asks_for_help(argc, argv)) benchmark::Initialize(&argc, argv);  // takes what is its own
  bench::BenchOptions options;
  options.batches = {32, 1};
  CLI::App app("Times whole steps of each model: training and inference");
  bench::add_bench_options(app, options);
  if (const auto code = bench::parse(app, argc, argv)) return *code;
  set_threads(options.threads);
  const OpenDevice device(choose_device(options.device));
  bench::add_device_context(*device);
  StepBench bench(*device, options.seconds);
  add_steps(bench, options, !device->is_cpu());
  file.run_benchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace cudacards

int main(int argc, char** argv) { return cudacards::bench::guarded("bench_step", argc, argv, cudacards::run); }
