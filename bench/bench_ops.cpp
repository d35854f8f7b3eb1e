// Every layer of every model on the CPU, by each implementation that takes it: forward and backward of one node as a
// plan would run it. Names are pass/model/layer/precision/implementation; --benchmark_filter chooses. The reference is
// left out: it is not a competitor.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "host/graph/plan.h"
#include "host/runtime/buffer.h"
#include "host/runtime/threads.h"
#include "kernels/base/philox.h"
#include "models/registry.h"

namespace cudacards {
namespace {

constexpr int kBatch = 32;

Buffer random_tensor(const TensorDesc& desc, std::uint32_t lane) {
  Buffer buffer(desc.bytes() + kAlignment, "a benchmark's tensor");
  const std::int64_t elements = desc.shape.elements();
  for (std::int64_t i = 0; i < elements; ++i) {
    const Random4 words = random4(1, RandomPurpose::kInitialise, static_cast<std::uint64_t>(i), lane, 0);
    const float value = 2.0f * uniform01(words.v[0]) - 1.0f;
    switch (desc.type) {
      case DType::kF32:
        buffer.as<float>()[static_cast<std::size_t>(i)] = value;
        break;
      case DType::kBf16:
        buffer.as<Bf16>()[static_cast<std::size_t>(i)] = Bf16(value);
        break;
      case DType::kU8:
        buffer.as<std::uint8_t>()[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(words.v[0]);
        break;
    }
  }
  return buffer;
}

/// One node by itself, with memory of its own.
class LoneNode {
 public:
  LoneNode(const Operation& operation, const Problem& problem, const Implementation& implementation)
      : kernel_(implementation.make(operation, problem)), need_(kernel_->memory()) {
    std::vector<Shape> shapes;
    for (const TensorDesc& desc : problem.src) {
      src_.push_back(random_tensor(desc, 1));
      diff_src_.emplace_back(desc.bytes() + kAlignment);
      shapes.push_back(desc.shape);
      bytes_ += desc.bytes();
    }
    bytes_ += problem.dst.bytes();
    dst_ = Buffer(problem.dst.bytes() + kAlignment);
    diff_dst_ = random_tensor(problem.dst, 2);
    for (const ParameterSpec& spec : operation.parameters(shapes)) {
      parameters_.push_back(random_tensor({spec.shape, DType::kF32}, 3));
      diff_parameters_.emplace_back(parameters_.back().size());
      bytes_ += parameters_.back().size();
    }
    workspace_ = Buffer(need_.workspace + kAlignment);
    scratchpad_ = Buffer(need_.scratchpad + kAlignment);
    packed_ = Buffer(need_.packed + kAlignment);
    for (std::size_t i = 0; i < src_.size(); ++i) {
      src_pointers_.push_back(src_[i].data());
      diff_src_pointers_.push_back(diff_src_[i].data());
      diff_src_modes_.push_back(problem.diff_src_wanted[i] ? GradMode::kOverwrite : GradMode::kIgnore);
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      parameter_pointers_.push_back(parameters_[i].as<float>().data());
      diff_parameter_pointers_.push_back(diff_parameters_[i].as<float>().data());
    }
    const_parameter_pointers_.assign(parameter_pointers_.begin(), parameter_pointers_.end());
  }

  void forward() {
    kernel_->forward({.step = {.training = true},
                      .src = src_pointers_,
                      .dst = dst_.data(),
                      .parameters = parameter_pointers_,
                      .workspace = workspace_.data(),
                      .scratchpad = scratchpad_.data(),
                      .packed = packed_.data()});
  }
  void backward() {
    kernel_->backward({.step = {.training = true},
                       .src = src_pointers_,
                       .dst = dst_.data(),
                       .diff_dst = diff_dst_.data(),
                       .diff_src = diff_src_pointers_,
                       .diff_src_mode = diff_src_modes_,
                       .parameters = const_parameter_pointers_,
                       .diff_parameters = diff_parameter_pointers_,
                       .workspace = workspace_.data(),
                       .scratchpad = scratchpad_.data(),
                       .packed = packed_.data()});
  }
  /// Sources, result and parameters once each: the least that a forward pass moves.
  double bytes() const { return static_cast<double>(bytes_); }

 private:
  std::unique_ptr<Kernel> kernel_;
  MemoryNeed need_;
  std::vector<Buffer> src_, diff_src_, parameters_, diff_parameters_;
  Buffer dst_, diff_dst_, workspace_, scratchpad_, packed_;
  std::vector<const void*> src_pointers_;
  std::vector<void*> diff_src_pointers_;
  std::vector<GradMode> diff_src_modes_;
  std::vector<float*> parameter_pointers_, diff_parameter_pointers_;
  std::vector<const float*> const_parameter_pointers_;
  std::size_t bytes_ = 0;
};

enum class Pass { kForward, kBackward };

void run(benchmark::State& state, const PlanNode& node, const Implementation& implementation, Pass pass) {
  LoneNode lone(*node.operation, node.problem, implementation);
  lone.forward();  // backward reads what a forward leaves
  for (auto _ : state) pass == Pass::kForward ? lone.forward() : lone.backward();
  // A layer whose source wants no gradient does half of the backward products.
  const double products = pass == Pass::kForward ? 1 : (node.problem.diff_src_wanted[0] ? 2 : 1);
  using benchmark::Counter;
  state.counters["FLOP/s"] = Counter(node.flops * products, Counter::kIsIterationInvariantRate);
  state.counters["B/s"] = Counter(lone.bytes() * products, Counter::kIsIterationInvariantRate);
}

void register_model(const ModelEntry& model, DType precision) {
  Graph graph = model.build({});
  Parameters parameters(graph);
  const Plan plan = Plan::make(graph, parameters, {.batch = kBatch, .precision = precision, .mode = Mode::kTrain});
  for (const PlanNode& node : plan.nodes()) {
    if (node.operation->is_view() || node.problem.src[0].type == DType::kU8) continue;
    for (const Implementation& implementation : node.operation->implementations(DeviceKind::kCpu)) {
      if (implementation.family == "reference" || !implementation.supports(*node.operation, node.problem)) continue;
      for (const Pass pass : {Pass::kForward, Pass::kBackward}) {
        const std::string name = fmt::format("{}/{}/{}/{}/{}", pass == Pass::kForward ? "forward" : "backward",
                                             model.name, node.name, name_of(precision), implementation.name);
        benchmark::RegisterBenchmark(
            name.c_str(),
            [node, implementation, pass](benchmark::State& state) { run(state, node, implementation, pass); })
            ->UseRealTime()
            ->MeasureProcessCPUTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
}

}  // namespace
}  // namespace cudacards

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("threads", std::to_string(cudacards::threads()));
  for (const auto& model : cudacards::models()) {
    for (const cudacards::DType precision : {cudacards::DType::kF32, cudacards::DType::kBf16})
      cudacards::register_model(model, precision);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
