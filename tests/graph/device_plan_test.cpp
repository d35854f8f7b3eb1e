// The same network on the emulator or a GPU: each node with what the plan chose for it, and the whole against the
// CPU's.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "host/graph/plan.h"
#include "host/ops/device_parameters.h"
#include "host/runtime/error.h"
#include "models/registry.h"
#include "tests/support/case_scope.h"
#include "tests/support/double_reference.h"
#include "tests/support/near_ties.h"
#include "tests/support/tested_device.h"

namespace cudacards::testing {
namespace {

constexpr int kBatch = 2, kSide = 16, kClasses = 5;

struct Network {
  const char* arch;
  Precision precision;
};

class DevicePlan : public ::testing::TestWithParam<Network> {
 protected:
  void SetUp() override {
    if (tested_device() == nullptr) GTEST_SKIP() << "skipped: this build has no emulator";
  }
  Graph graph() const { return build_model(GetParam().arch, {.height = kSide, .width = kSide, .classes = kClasses}); }
  PlanOptions options() const { return {.batch = kBatch, .precision = GetParam().precision}; }
};

TEST_P(DevicePlan, NodesAgreeWithTheReferenceFromIdenticalInputs) {
  const Graph graph = this->graph();
  PlanOptions options = this->options();
  options.target = tested_device()->target();
  const Plan plan = Plan::look_at(graph, options);
  double worst = 0;
  for (const PlanNode& node : plan.nodes()) {
    if (node.implementation.empty() || node.problem.src[0].type == DType::kU8)
      continue;  // rescaling: below, to the bit
    OpCase c{.operation = node.operation,
             .type = node.problem.src[0].type,
             .dst_type = node.problem.dst.type,
             .diff_src = node.problem.diff_src_wanted[0] ? GradMode::kOverwrite : GradMode::kIgnore,
             .factors = node.problem.tf32 ? Factors::kTf32 : Factors::kExact,
             .device = tested_device(),
             .description = node.name + ": " + node.implementation};
    for (const TensorDesc& src : node.problem.src) c.src.push_back(src.shape);
    const testing_support::CaseScope scope(c.description);
    const auto all = node.operation->implementations(options.target.kind);
    const auto chosen = std::ranges::find(all, node.implementation, &Implementation::name);
    ASSERT_NE(chosen, all.end());
    const OpInputs inputs = without_near_ties(c, random_inputs(c));
    const RunOptions run_options;
    const DoubleOutputs expected = evaluate(c, DoubleInputs(inputs), run_options.step);
    const OpOutputs actual = run(c, *chosen, inputs, run_options);
    const auto check = [&](const std::vector<float>& values, const Bounded& bounded, DType type, const char* what) {
      double ratio = 0;
      EXPECT_TRUE(within_bound(values, bounded, type, 4, &ratio)) << what;
      worst = std::max(worst, ratio);
    };
    check(actual.dst, expected.dst, c.dst_type, "dst");
    for (std::size_t i = 0; i < expected.diff_src.size(); ++i)
      check(actual.diff_src[i], expected.diff_src[i], c.type, "diff_src");
    for (std::size_t i = 0; i < expected.diff_parameters.size(); ++i)
      check(actual.diff_parameters[i], expected.diff_parameters[i], DType::kF32, "diff_parameter");
  }
  RecordProperty("largest_error_over_bound", std::to_string(worst));
}

TEST_P(DevicePlan, LeavesNoLayerToTheReference) {
  PlanOptions options = this->options();
  options.target = tested_device()->target();
  const Graph graph = this->graph();
  const Plan plan = Plan::look_at(graph, options);
  EXPECT_EQ(plan.nodes().back().problem.dst.type, DType::kF32) << "scores are fp32 in every precision";
  for (const PlanNode& node : plan.nodes()) EXPECT_NE(node.implementation, "reference") << node.name;
}

/// Some multiples of what storing or multiplying rounds off.
double tolerance_of(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return std::ldexp(1.0, -18);
    case Precision::kTf32:
      return std::ldexp(1.0, -7);
    case Precision::kBf16:
      return std::ldexp(1.0, -5);
  }
  return 0;
}

class Pictures16 {
 public:
  Pictures16() : bytes_(kBatch * kSide * kSide * 3) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::uint8_t>((i * 2654435761u) >> 13);
    for (int n = 0; n < kBatch; ++n) images_.push_back(bytes_.data() + n * kSide * kSide * 3);
  }
  ImageBatch batch() const { return {images_, {}}; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<const std::uint8_t*> images_;
};

TEST_P(DevicePlan, LogitsAreTheCpusToTheirPrecision) {
  const Graph graph = this->graph();
  Parameters parameters(graph);
  parameters.initialise(7);
  PlanOptions on_cpu = options();
  on_cpu.precision = on_device(GetParam().precision, DeviceKind::kCpu);
  Plan cpu = Plan::make(graph, parameters, on_cpu);
  Plan device = Plan::make(graph, parameters, options(), *tested_device());
  const Pictures16 pictures;
  const Step step{.training = true, .seed = 5, .number = 3};
  cpu.forward(pictures.batch(), step);
  device.forward(pictures.batch(), step);
  const float* expected = cpu.read_logits();
  const float* actual = device.read_logits();
  double largest = 0;
  for (int i = 0; i < kBatch * kClasses; ++i) largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  const double tolerance = tolerance_of(GetParam().precision) * largest;
  for (int i = 0; i < kBatch * kClasses; ++i) EXPECT_NEAR(actual[i], expected[i], tolerance) << i;
}

TEST(DevicePlanInTf32, RoundsFactorsAndSaysWhere) {
  if (tested_device() == nullptr) GTEST_SKIP() << "skipped: this build has no emulator";
  const Graph graph = build_model("mlp", {.height = kSide, .width = kSide, .classes = kClasses});
  Parameters parameters(graph);
  parameters.initialise(7);
  const Pictures16 pictures;
  const auto logits = [&](Precision precision, const char* impl) {
    PlanOptions options{.batch = kBatch, .precision = precision};
    options.impl.add(impl, "--impl");
    Plan plan = Plan::make(graph, parameters, options, *tested_device());
    for (const PlanNode& node : plan.nodes()) {
      const bool is_dense = dynamic_cast<const Dense*>(node.operation.get()) != nullptr;
      const bool rounds = precision == Precision::kTf32 && is_dense && node.implementation != "reference";
      EXPECT_EQ(node.rounds_to_tf32, rounds) << node.name;
    }
    plan.forward(pictures.batch(), Step{.training = false});
    const float* first = plan.read_logits();
    return std::vector<float>(first, first + kBatch * kClasses);
  };
  EXPECT_NE(logits(Precision::kTf32, "hand"), logits(Precision::kF32, "hand"));
  EXPECT_EQ(logits(Precision::kTf32, "reference"), logits(Precision::kF32, "reference"));
}

TEST(DevicePlanInTf32, IsRefusedOnTheCpu) {
  const Graph graph = build_model("mlp", {.height = kSide, .width = kSide, .classes = kClasses});
  EXPECT_THROW(Plan::look_at(graph, {.precision = Precision::kTf32}), UsageError);
}

TEST_P(DevicePlan, SendsParametersThatTheHostHasTouched) {
  const Graph graph = this->graph();
  Parameters parameters(graph);
  parameters.initialise(7);
  Plan plan = Plan::make(graph, parameters, options(), *tested_device());
  const Pictures16 pictures;
  const auto logits = [&] {
    plan.forward(pictures.batch(), Step{.training = false});
    const float* first = plan.read_logits();
    return std::vector<float>(first, first + kBatch * kClasses);
  };
  const auto before = logits();
  parameters.initialise(8);
  const auto after = logits();
  EXPECT_NE(before, after);
  Plan fresh = Plan::make(graph, parameters, options(), *tested_device());
  fresh.forward(pictures.batch(), Step{.training = false});
  EXPECT_TRUE(std::ranges::equal(after, std::span(fresh.read_logits(), after.size())));
}

TEST_P(DevicePlan, NamesTheNodeWhereANaNBegins) {
  const Graph graph = this->graph();
  Parameters parameters(graph);
  parameters.initialise(7);
  const auto planted = std::ranges::find_if(parameters.list(), [](const Parameter& p) { return p.trainable; });
  parameters.values(*planted)[1] = NAN;
  parameters.touch();
  Plan plan = Plan::make(graph, parameters, options(), *tested_device());
  const Pictures16 pictures;
  EXPECT_EQ(plan.find_non_finite(pictures.batch(), Step{.training = true}, [] {}), planted->name);
}

INSTANTIATE_TEST_SUITE_P(Models, DevicePlan,
                         ::testing::Values(Network{"cnn", Precision::kF32}, Network{"cnn", Precision::kTf32},
                                           Network{"cnn", Precision::kBf16}, Network{"mlp", Precision::kF32},
                                           Network{"mlp", Precision::kTf32}, Network{"mlp", Precision::kBf16}),
                         [](const auto& info) {
                           return std::string(info.param.arch) + "_" + name_of(info.param.precision);
                         });

}  // namespace
}  // namespace cudacards::testing
