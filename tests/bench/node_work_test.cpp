#include "bench/support/node_work.h"

#include <gmock/gmock.h>

#include "bench/support/agreement.h"
#include "bench/support/candidates.h"
#include "tests/support/tested_device.h"

namespace cudacards::bench {
namespace {

CandidateOptions cnn(Device& device, Precision precision = Precision::kF32, Mode mode = Mode::kTrain) {
  const int side = device.is_cpu() ? 32 : 16;
  return {.model = "cnn", .batch = 2, .image_size = side, .precision = precision, .mode = mode};
}

std::vector<Sample> results_of(Device& device, const NodeCandidates& node, const Candidate& candidate) {
  NodeWork work(device, candidate.chain, node.precision, {});
  work.fill(Fill::kIntegers);
  if (node.runs_backward) work.backward(0);
  return sampled(device, work.results());
}

// The composites too: what they compute one by one is what the fused node computes.
TEST(NodeWork, AllCandidatesOfANodeComputeTheSame) {
  for (Device* device : testing::all_devices()) {
    for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
      for (const NodeCandidates& node : candidates_of(cnn(*device, precision), device->target())) {
        ASSERT_FALSE(node.candidates.empty()) << node.layer;
        const auto expected = results_of(*device, node, node.candidates.back());
        for (const Candidate& candidate : node.candidates) {
          EXPECT_EQ(disagreement(results_of(*device, node, candidate), expected, tolerance_of(precision), "last"), "")
              << name_of(device->kind()) << " " << node.layer << " " << name_of(precision) << " " << candidate.name;
        }
      }
    }
  }
}

TEST(NodeWork, ResultsOfTrainingAreDstAndEveryGradient) {
  const auto nodes = candidates_of(cnn(cpu_device()), cpu_device().target());
  const auto second = std::ranges::find(nodes, "conv2d_1", &NodeCandidates::layer);
  ASSERT_NE(second, nodes.end());
  std::vector<std::string> names;
  for (const Sample& sample : results_of(cpu_device(), *second, second->candidates.front()))
    names.push_back(sample.name);
  EXPECT_THAT(names, ::testing::ElementsAre("dst", "diff src 0", "diff weights", "diff bias"));
}

/// Says of its backward pass what it is given.
template <const char* note>
Implementation noted() {
  class Noted final : public Kernel {
   public:
    MemoryNeed memory() const override { return {}; }
    void forward(const ForwardArgs&) override {}
    std::string backward_note() const override { return note; }
  };
  return {
      .name = "noted",
      .family = "vendor",
      .supports = [](const Operation&, const Problem&) { return Verdict::yes(); },
      .make = [](const Operation&, const Problem&) -> std::unique_ptr<Kernel> { return std::make_unique<Noted>(); }};
}
constexpr char kNothing[] = "", kWidens[] = "widens", kWaits[] = "waits";

TEST(NodeWork, SaysWhatItsKernelsSayOfTheirBackwardPasses) {
  const auto relu = std::make_shared<const ActivationLayer>(Activation::kRelu);
  const TensorDesc tensor{Shape{2, 3}, DType::kF32};
  const Problem problem = {.src = {tensor}, .dst = tensor, .diff_src_wanted = {false}};
  const auto notes = [&](std::vector<Implementation> implementations) {
    std::vector<Link> chain;
    for (const Implementation& i : implementations) chain.push_back({relu, problem, i});
    return NodeWork(cpu_device(), chain, Precision::kF32, {}).backward_notes();
  };
  EXPECT_EQ(notes({noted<kNothing>()}), "");
  EXPECT_EQ(notes({noted<kWidens>(), noted<kNothing>()}), "widens");
  EXPECT_EQ(notes({noted<kNothing>(), noted<kWidens>(), noted<kWaits>()}), "widens, waits");
}

TEST(NodeWork, InferenceLeavesDstAlone) {
  for (const NodeCandidates& node :
       candidates_of(cnn(cpu_device(), Precision::kF32, Mode::kInfer), cpu_device().target())) {
    EXPECT_FALSE(node.runs_backward);
    EXPECT_EQ(results_of(cpu_device(), node, node.candidates.front()).size(), 1u) << node.layer;
  }
}

/// dst (4,3) = src (4,5) * weights (3,5) + bias (3).
struct SmallDense {
  NodeWork work(const NodeWork::Limits& limits) const {
    const auto dense = std::make_shared<const Dense>(3);
    Problem problem;
    problem.src.push_back({Shape{4, 5}, DType::kF32});
    problem.dst = {Shape{4, 3}, DType::kF32};
    problem.training = true;
    problem.diff_src_wanted = {true};
    problem.diff_parameters_wanted = true;
    const Implementation& reference = dense->implementations(DeviceKind::kCpu).back();
    return NodeWork(cpu_device(), {{dense, problem, reference}}, Precision::kF32, limits);
  }
};

TEST(NodeWork, CountsEachTensorOnceThatGoesInOrOut) {
  const NodeWork work = SmallDense().work({});
  const double src = 20, weights = 15 + 3, dst = 12;
  EXPECT_EQ(work.forward_bytes(), 4 * (src + weights + dst));
  EXPECT_EQ(work.backward_bytes(), 4 * (dst + (src + weights) + (src + weights)));  // gradients out, their factors in
}

TEST(NodeWork, CopiesLieTwiceTheCacheApartWithinTheLimits) {
  const std::size_t one = 10 * 256;                           // about; every tensor has lines of its own
  EXPECT_EQ(SmallDense().work({.copies = 100}).copies(), 1);  // no cache to outgrow
  EXPECT_GT(SmallDense().work({.cache_bytes = 10 * one, .memory_bytes = 1 << 20, .copies = 100}).copies(), 10);
  EXPECT_EQ(SmallDense().work({.cache_bytes = 10 * one, .memory_bytes = 1 << 20, .copies = 4}).copies(), 4);
  EXPECT_EQ(SmallDense().work({.cache_bytes = 10 * one, .memory_bytes = 1, .copies = 4}).copies(), 1);
}

TEST(NodeWork, CopiesHaveTheSameValuesAndResultsOfTheirOwn) {
  NodeWork work = SmallDense().work({.cache_bytes = 1 << 14, .memory_bytes = 1 << 20, .copies = 3});
  ASSERT_EQ(work.copies(), 3);
  work.fill(Fill::kUniform);
  const auto before = sampled(cpu_device(), work.results());
  work.forward(1);
  work.backward(2);
  const auto after = sampled(cpu_device(), work.results());
  EXPECT_EQ(before[0].values, after[0].values);
}

TEST(Candidates, AConvolutionWithItsPoolStandsBesideTheVendorsOneByOne) {
  const auto nodes = candidates_of(cnn(cpu_device()), cpu_device().target());
  const auto conv = std::ranges::find(nodes, "conv2d", &NodeCandidates::layer);
  ASSERT_NE(conv, nodes.end());
  const auto is_composite = [](const Candidate& c) { return c.chain.size() == 2; };
  const auto composite = std::ranges::find_if(conv->candidates, is_composite);
  ASSERT_NE(composite, conv->candidates.end());
  EXPECT_THAT(composite->name, ::testing::StartsWith("onednn + "));
  EXPECT_EQ(composite->family, "vendor");
  for (const NodeCandidates& node : nodes) {
    if (node.layer.find("conv2d") == std::string::npos) {
      EXPECT_EQ(std::ranges::count_if(node.candidates, is_composite), 0) << node.layer;
    }
  }
}

TEST(Candidates, EveryNodeIsListedOrCountedWithItsTwin) {
  for (const auto& model : models()) {
    const CandidateOptions options = {.model = model.name, .batch = 2, .image_size = 32};
    const Graph graph = build_model(model.name, {.height = 32, .width = 32});
    const Plan plan = Plan::look_at(graph, {.batch = 2});
    int nodes = 0, listed = 0;
    for (const PlanNode& node : plan.nodes()) nodes += node.operation->is_view() ? 0 : 1;
    for (const NodeCandidates& node : candidates_of(options, {})) listed += node.occurrences;
    EXPECT_EQ(listed, nodes) << model.name;
  }
}

TEST(Candidates, BackwardCountsTheGradientsThatAreTaken) {
  const auto nodes = candidates_of(cnn(cpu_device()), cpu_device().target());
  const auto at = [&](const char* layer) { return *std::ranges::find(nodes, layer, &NodeCandidates::layer); };
  EXPECT_EQ(at("conv2d").backward_flops, at("conv2d").forward_flops);  // pictures want no gradient
  EXPECT_EQ(at("conv2d_1").backward_flops, 2 * at("conv2d_1").forward_flops);
  EXPECT_FALSE(at("rescaling").runs_backward);
}

}  // namespace
}  // namespace cudacards::bench
