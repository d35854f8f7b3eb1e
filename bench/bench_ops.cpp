// Every layer of every model on a device, by each implementation that takes it. Names are
// pass/model/layer/batch/precision/implementation; the pass is infer, forward (of training) or backward. Candidates are
// held against each other before they are timed (bench/README.md says how to read the counters).
//
//   bench_ops --device cuda --models cnn,mlp --batches 256,32,1 --benchmark_out=ops.json
//
// Options that begin with --benchmark_ are Google Benchmark's.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/support/agreement.h"
#include "bench/support/bench_options.h"
#include "bench/support/candidates.h"
#include "bench/support/ceilings.h"
#include "bench/support/device_context.h"
#include "bench/support/rows_file.h"
#include "bench/support/timing.h"
#include "host/runtime/device_choice.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"
#include "host/train/words.h"

namespace cudacards {
namespace {

using bench::Candidate;
using bench::NodeCandidates;
using bench::NodeWork;
using bench::Sample;

struct Options : bench::BenchOptions {
  std::vector<std::string> passes = {"infer", "forward", "backward"};
};

enum class Pass { kInfer, kForward, kBackward };
constexpr const char* kPassNames[] = {"infer", "forward", "backward"};

/// Whether and how a candidate's results were held against another's.
struct Check {
  std::string failure;  // not to be timed
  std::string label;    // "agrees with reference"
};

/// What all benchmarks share: the device, and the work of the candidate that was asked for last.
class Bench {
 public:
  Bench(Device& device, const Options& options)
      : device_(device), deadline_(options.seconds), ceilings_(bench::measure_ceilings(device)) {}

  const bench::Ceilings& ceilings() const { return ceilings_; }
  int disagreements() const { return disagreements_; }

  void run(benchmark::State& state, const NodeCandidates& node, const Candidate& candidate, Pass pass) {
    if (deadline_.is_over()) return state.SkipWithError("out of time");
    try {
      prepare(node, candidate);
      if (!check_.failure.empty()) return state.SkipWithError(check_.failure.c_str());
      time(state, node, pass);
    } catch (const Error& error) {
      forget();
      state.SkipWithError(error.what());
    }
  }

 private:
  void forget() {
    prepared_ = nullptr;
    repeated_ = nullptr;
    work_ = nullptr;
  }

  // Google Benchmark calls a benchmark several times, with more and more iterations.
  void prepare(const NodeCandidates& node, const Candidate& candidate) {
    if (prepared_ == &candidate) return;
    forget();
    judge(node);
    work_ = make_work(node, candidate, device_.is_cpu() ? 64 : 256);
    check_ = check(node, candidate);
    if (!check_.failure.empty()) ++disagreements_;
    work_->fill(bench::Fill::kUniform);
    prepared_ = &candidate;
  }

  std::unique_ptr<NodeWork> make_work(const NodeCandidates& node, const Candidate& candidate, int copies) const {
    const std::size_t free = device_.memory().free;
    const std::size_t most = device_.is_cpu() ? std::size_t{1} << 30 : free / 4;
    return std::make_unique<NodeWork>(
        device_, candidate.chain, node.precision,
        NodeWork::Limits{
            .cache_bytes = device_.cache_bytes(), .memory_bytes = std::min(most, free / 4), .copies = copies});
  }

  std::vector<Sample> computed(const NodeCandidates& node, NodeWork& work) {
    work.fill(bench::Fill::kIntegers);
    if (node.runs_backward) work.backward(0);
    return bench::sampled(device_, work.results());
  }

  /// The reference judges where it is not too slow, else the first candidate that runs.
  void judge(const NodeCandidates& node) {
    if (judged_ == &node) return;
    judged_ = &node;
    judge_name_.clear();
    std::vector<const Candidate*> judges;
    for (const Candidate& candidate : node.candidates) {
      // The CPU's reference is a loop without vectors; a GPU's is a kernel.
      const bool slow = candidate.is_reference() && device_.is_cpu() && node.forward_flops > 2e9;
      if (!slow) judges.push_back(&candidate);
    }
    std::ranges::stable_sort(
        judges, [](const Candidate* a, const Candidate* b) { return a->is_reference() > b->is_reference(); });
    for (const Candidate* candidate : judges) {
      try {
        const auto work = make_work(node, *candidate, 1);
        expected_ = computed(node, *work);
        judge_name_ = candidate->name;
        return;
      } catch (const Error&) {
        continue;  // told where that candidate is to be timed
      }
    }
  }

  Check check(const NodeCandidates& node, const Candidate& candidate) {
    const std::vector<Sample> got = computed(node, *work_);
    if (judge_name_.empty() || judge_name_ == candidate.name) {
      // One who judges is compared with the others when they come.
      return {"", node.candidates.size() > 1 ? "judged the others" : "nothing to hold it against"};
    }
    const std::string apart = bench::disagreement(got, expected_, bench::tolerance_of(node.precision), judge_name_);
    return apart.empty() ? Check{"", "agrees with " + judge_name_} : Check{"disagrees: " + apart, ""};
  }

  void time(benchmark::State& state, const NodeCandidates& node, Pass pass) {
    if (repeated_ == nullptr || repeated_pass_ != pass) {
      repeated_ = nullptr;
      repeated_pass_ = pass;
      repeated_ = make_repeated(pass);
      times_.clear();
    }
    for (auto _ : state) {
      const double seconds = repeated_->round();
      times_.push_back(seconds);
      state.SetIterationTime(seconds);
    }
    report(state, node, pass);
  }

  std::unique_ptr<bench::RepeatedWork> make_repeated(Pass pass) {
    const int copies = work_->copies();
    // Counts on by itself: rounds of fewer calls than copies go through all of them too.
    const auto call = [this, copies, pass, next = 0](int) mutable {
      const int copy = next++ % copies;
      pass == Pass::kBackward ? work_->backward(copy) : work_->forward(copy);
    };
    if (pass == Pass::kBackward) {
      for (int i = 0; i < copies; ++i) work_->forward(i);
    }
    constexpr double kRound = 0.5e-3;  // seconds
    const double one = device_.kind() == DeviceKind::kEmulated ? kRound : bench::RepeatedWork(device_, call, 1).round();
    int calls = std::clamp(static_cast<int>(kRound / one), 1, 512);
    // What is captured repeats itself: all copies have to be in it.
    if (!device_.is_cpu()) calls = (calls + copies - 1) / copies * copies;
    return std::make_unique<bench::RepeatedWork>(device_, call, calls);
  }

  void report(benchmark::State& state, const NodeCandidates& node, Pass pass) {
    const bool backward = pass == Pass::kBackward;
    const double flops = backward ? node.backward_flops : node.forward_flops;
    const double bytes = backward ? work_->backward_bytes() : work_->forward_bytes();
    const double seconds = bench::median(times_);
    state.counters["median_us"] = seconds * 1e6;
    state.counters["TFLOP/s"] = flops / seconds * 1e-12;
    state.counters["GB/s"] = bytes / seconds * 1e-9;
    if (const double least = ceilings_.least_seconds(flops, bytes, node.precision); least > 0)
      state.counters["roofline"] = least / seconds;
    state.counters["layers"] = node.occurrences;
    state.counters["copies"] = work_->copies();
    std::string label = prepared_->family + "; " + check_.label;
    if (!repeated_->is_captured()) label += ", not captured";
    if (const std::string notes = work_->backward_notes(); backward && !notes.empty()) label += ", " + notes;
    state.SetLabel(label);
  }

  Device& device_;
  const bench::Deadline deadline_;
  const bench::Ceilings ceilings_;

  const NodeCandidates* judged_ = nullptr;
  std::string judge_name_;
  std::vector<Sample> expected_;

  const Candidate* prepared_ = nullptr;
  std::unique_ptr<NodeWork> work_;
  Check check_;
  int disagreements_ = 0;

  std::unique_ptr<bench::RepeatedWork> repeated_;
  Pass repeated_pass_ = Pass::kInfer;
  std::vector<double> times_;
};

bool is_wanted(const Options& options, Pass pass) {
  return std::ranges::find(options.passes, kPassNames[static_cast<int>(pass)]) != options.passes.end();
}

void add(Bench& bench, const NodeCandidates& node, Pass pass) {
  for (const Candidate& candidate : node.candidates) {
    // No competitor, unless it is what the plan runs.
    if (candidate.is_reference() && node.candidates.size() > 1) continue;
    const std::string name = fmt::format("{}/{}/{}/{}/{}/{}", kPassNames[static_cast<int>(pass)], node.model,
                                         node.layer, node.batch, name_of(node.precision), candidate.name);
    benchmark::RegisterBenchmark(
        name.c_str(),
        [&bench, &node, &candidate, pass](benchmark::State& state) { bench.run(state, node, candidate, pass); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

/// Keeps what the benchmarks point to.
std::vector<std::vector<NodeCandidates>> add_all(Bench& bench, const Options& options, const Target& target) {
  std::vector<std::vector<NodeCandidates>> lists;
  for (const int batch : options.batches) {
    for (const std::string& precision : options.precisions) {
      for (const std::string& model : options.models) {
        for (const Mode mode : {Mode::kTrain, Mode::kInfer}) {
          lists.push_back(bench::candidates_of({.model = model,
                                                .batch = batch,
                                                .image_size = options.image_size,
                                                .precision = from_word<Precision>(precision, "--precisions"),
                                                .mode = mode},
                                               target));
        }
      }
    }
  }
  for (const auto& list : lists) {
    for (const NodeCandidates& node : list) {
      const bool training = node.mode == Mode::kTrain;
      for (const Pass pass : {Pass::kInfer, Pass::kForward, Pass::kBackward}) {
        if (is_wanted(options, pass) && training == (pass != Pass::kInfer) &&
            (pass != Pass::kBackward || node.runs_backward))
          add(bench, node, pass);
      }
    }
  }
  return lists;
}

int run(int argc, char** argv) {
  bench::RowsFile file(argc, argv);
  if (!bench::asks_for_help(argc, argv)) benchmark::Initialize(&argc, argv);  // takes what is its own
  Options options;
  CLI::App app("Times each layer of each model by every implementation that takes it");
  bench::add_bench_options(app, options);
  app.add_option("--passes", options.passes, "infer, forward, backward")
      ->delimiter(',')
      ->check(CLI::IsMember({"infer", "forward", "backward"}))
      ->capture_default_str();
  if (const auto code = bench::parse(app, argc, argv)) return *code;
  set_threads(options.threads);
  const OpenDevice device(choose_device(options.device));
  Bench bench(*device, options);
  bench::add_device_context(*device);
  for (const auto& [precision, how] : bench.ceilings().how)
    benchmark::AddCustomContext(
        fmt::format("ceiling_{}", name_of(precision)),
        fmt::format("{:.6g} TFLOP/s, measured: {}", bench.ceilings().flops_per_second.at(precision) * 1e-12, how));
  if (const double rate = bench.ceilings().bytes_per_second; rate > 0)
    benchmark::AddCustomContext("ceiling_memory",
                                fmt::format("{:.6g} GB/s, measured: a copy on the device", rate * 1e-9));
  const auto lists = add_all(bench, options, device->target());
  file.run_benchmarks();
  benchmark::Shutdown();
  if (bench.disagreements() > 0) {
    fmt::print(stderr, "bench_ops: {} candidates disagree with others and were not timed\n", bench.disagreements());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace cudacards

int main(int argc, char** argv) { return cudacards::bench::guarded("bench_ops", argc, argv, cudacards::run); }
