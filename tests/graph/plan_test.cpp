// A plan against itself: fused and unfused, shared memory and fan-in, frozen layers, inference between training steps,
// and the search for the first NaN.

#include "host/graph/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "host/ops/softmax_loss.h"
#include "models/registry.h"

namespace cudacards {
namespace {

constexpr int kBatch = 4;

/// A batch of uint8 pictures made of a fixed pattern.
class Pixels {
 public:
  Pixels(int height, int width) : bytes_(static_cast<std::size_t>(kBatch) * height * width * 3) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::uint8_t>((i * 2654435761u) >> 13);
    for (int n = 0; n < kBatch; ++n)
      images_.push_back(bytes_.data() + bytes_.size() / kBatch * static_cast<std::size_t>(n));
  }
  ImageBatch batch() const { return {images_, {}}; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<const std::uint8_t*> images_;
};

struct StepResult {
  std::vector<float> logits, gradients;
  bool operator==(const StepResult&) const = default;
};

StepResult run_step(Plan& plan, const Graph& graph, const Pixels& pixels, const Step& step) {
  std::vector<std::int32_t> labels;
  for (int i = 0; i < kBatch; ++i) labels.push_back(i % graph.classes());
  plan.forward(pixels.batch(), step);
  softmax_loss(plan.logits(), labels.data(), kBatch, kBatch, graph.classes(), 0.1f, plan.diff_logits());
  StepResult result{{plan.logits(), plan.logits() + kBatch * graph.classes()}, {}};
  plan.backward(step);
  result.gradients.assign(plan.gradients().begin(), plan.gradients().end());
  return result;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  return most;
}

constexpr Step kStep{.training = true, .seed = 5, .number = 3};

/// Branches that meet again, a value read three times, a view between, batch norm, depthwise, softmax as a layer.
Graph branching() {
  Graph g;
  Node x = g.rescale(g.image(12, 10), 1.0f / 255);
  x = g.conv2d(x, {.filters = 8, .kernel = 3, .stride = 2, .bias = false});
  const Node stem = g.activation(g.batch_norm(x), Activation::kRelu6);
  Node left = g.activation(g.depthwise_conv2d(stem, {.kernel = 3}), Activation::kRelu);
  left = g.conv2d(left, {.filters = 8, .kernel = 1});
  const Node sum = g.add(g.add(stem, left), stem);
  const Node pooled = g.global_average_pool(sum);
  const Node flat = g.dropout(g.flatten(g.max_pool(sum)), 0.25f);
  const Node head = g.dense(flat, 8, Activation::kRelu);
  return std::move(g).logits(g.dense(g.add(g.softmax(head), pooled), 5));
}

class PlanOf : public ::testing::TestWithParam<const char*> {
 protected:
  static Graph build(const std::string& name) {
    return name == "branching" ? branching() : build_model(name, {.height = 24, .width = 20, .classes = 5});
  }
  Graph graph_ = build(GetParam());
  Pixels pixels_{static_cast<int>(graph_.input_shape()[1]), static_cast<int>(graph_.input_shape()[2])};
};

TEST_P(PlanOf, GivesTheSameFusedAndUnfused) {
  Parameters parameters(graph_);
  parameters.initialise(1);
  Plan fused = Plan::make(graph_, parameters, {.batch = kBatch, .impl = ImplChoice::kReference});
  Plan plain = Plan::make(graph_, parameters, {.batch = kBatch, .impl = ImplChoice::kReference, .fuse = false});
  EXPECT_LE(fused.nodes().size(), plain.nodes().size());
  EXPECT_EQ(run_step(fused, graph_, pixels_, kStep), run_step(plain, graph_, pixels_, kStep));
}

TEST_P(PlanOf, GivesTheSameByEveryFamily) {
  Parameters parameters(graph_);
  parameters.initialise(1);
  Plan reference = Plan::make(graph_, parameters, {.batch = kBatch, .impl = ImplChoice::kReference});
  Plan automatic = Plan::make(graph_, parameters, {.batch = kBatch});
  const StepResult expected = run_step(reference, graph_, pixels_, kStep);
  const StepResult actual = run_step(automatic, graph_, pixels_, kStep);
  EXPECT_LT(largest_difference(actual.logits, expected.logits), 1e-5);
  EXPECT_LT(largest_difference(actual.gradients, expected.gradients), 1e-5);
}

TEST_P(PlanOf, RepeatsAStepByteForByte) {
  Parameters parameters(graph_);
  parameters.initialise(1);
  Plan plan = Plan::make(graph_, parameters, {.batch = kBatch});
  const std::vector<float> before(parameters.values().begin(), parameters.values().end());
  const StepResult first = run_step(plan, graph_, pixels_, kStep);
  std::ranges::copy(before, parameters.values().begin());  // batch norm's running statistics have moved
  EXPECT_EQ(run_step(plan, graph_, pixels_, kStep), first);
}

TEST_P(PlanOf, IsNotDisturbedByInferenceBetweenSteps) {
  Parameters parameters(graph_);
  parameters.initialise(1);
  Plan plan = Plan::make(graph_, parameters, {.batch = kBatch});
  const std::vector<float> before(parameters.values().begin(), parameters.values().end());
  plan.forward(pixels_.batch(), Step{.training = false});
  EXPECT_TRUE(std::ranges::equal(before, parameters.values())) << "inference moved a running statistic";
  const StepResult after_inference = run_step(plan, graph_, pixels_, kStep);

  std::ranges::copy(before, parameters.values().begin());
  Plan fresh = Plan::make(graph_, parameters, {.batch = kBatch});
  EXPECT_EQ(after_inference, run_step(fresh, graph_, pixels_, kStep));
}

TEST_P(PlanOf, TakesWhatItsMeasureSays) {
  for (const Mode mode : {Mode::kTrain, Mode::kInfer}) {
    Parameters parameters(graph_);
    EXPECT_EQ(Parameters::size_of(graph_), parameters.size());
    const PlanMemory measured = Plan::measure(graph_, {.batch = kBatch, .mode = mode});
    Plan plan = Plan::make(graph_, parameters, {.batch = kBatch, .mode = mode});
    EXPECT_EQ(plan.arena_bytes(), measured.arena);
    EXPECT_EQ(plan.gradients().size_bytes(), measured.gradients);
    EXPECT_EQ(plan.planned_bytes(), measured.total());
  }
}

TEST_P(PlanOf, InfersTheSameInATrainingAndAnInferencePlan) {
  Parameters parameters(graph_);
  parameters.initialise(1);
  Plan training = Plan::make(graph_, parameters, {.batch = kBatch});
  Plan inference = Plan::make(graph_, parameters, {.batch = kBatch, .mode = Mode::kInfer});
  EXPECT_LT(inference.planned_bytes(), training.planned_bytes());
  training.forward(pixels_.batch(), Step{.training = false});
  inference.forward(pixels_.batch(), Step{.training = false});
  for (int i = 0; i < kBatch * 5; ++i) {  // inference rounds otherwise where it folds a batch norm into a convolution
    EXPECT_NEAR(training.logits()[i], inference.logits()[i], 1e-6f * (1 + std::abs(training.logits()[i])));
  }
}

TEST_P(PlanOf, SeesChangedParametersAfterTouch) {
  Parameters parameters(graph_);
  parameters.initialise(1);
  Plan plan = Plan::make(graph_, parameters, {.batch = kBatch});
  (void)run_step(plan, graph_, pixels_, kStep);
  parameters.initialise(2);
  const StepResult changed = run_step(plan, graph_, pixels_, kStep);
  parameters.initialise(2);
  Plan fresh = Plan::make(graph_, parameters, {.batch = kBatch});
  EXPECT_EQ(changed, run_step(fresh, graph_, pixels_, kStep));
}

// QUALITY target 18: a NaN planted in a parameter is found where it is, whatever ReLU or a pool make of it.
TEST_P(PlanOf, NamesTheParameterThatIsNaN) {
  Parameters parameters(graph_);
  Plan plan = Plan::make(graph_, parameters, {.batch = kBatch});
  for (const auto& parameter : parameters.list()) {
    parameters.initialise(1);
    parameters.values(parameter).back() = std::numeric_limits<float>::quiet_NaN();
    parameters.touch();
    EXPECT_EQ(plan.find_non_finite(pixels_.batch(), kStep, [] {}), parameter.name);
  }
}

TEST_P(PlanOf, NamesTheNodeThatOverflows) {
  Parameters parameters(graph_);
  Plan plan = Plan::make(graph_, parameters, {.batch = kBatch});
  for (const auto& node : plan.nodes()) {
    parameters.initialise(1);
    const Parameter* weights = parameters.find(node.name + "/weights");
    if (weights == nullptr) continue;
    for (float& w : parameters.values(*weights)) w = 3e38f;  // finite itself; its sums are not
    parameters.touch();
    EXPECT_EQ(plan.find_non_finite(pixels_.batch(), kStep, [] {}), node.name + ": dst");
  }
}

TEST_P(PlanOf, NamesAGradientThatIsNaN) {
  Parameters parameters(graph_);
  parameters.initialise(1);
  Plan plan = Plan::make(graph_, parameters, {.batch = kBatch});
  const auto spoil = [&] { plan.diff_logits()[1] = std::numeric_limits<float>::infinity(); };
  EXPECT_EQ(plan.find_non_finite(pixels_.batch(), kStep, spoil), "logits: gradient");
  const auto enlarge = [&] { std::fill_n(plan.diff_logits(), kBatch * 5, 3e38f); };
  EXPECT_TRUE(plan.find_non_finite(pixels_.batch(), kStep, enlarge).starts_with(plan.nodes().back().name + ": diff "));
}

INSTANTIATE_TEST_SUITE_P(Networks, PlanOf, ::testing::Values("cnn", "mlp", "branching"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Plan, AddsTheGradientsOfAValueThatIsReadTwice) {
  // y = dense(x) summed with itself: each gradient is twice that of the single reading.
  const auto gradients = [](bool twice) {
    Graph g;
    const Node x = g.dense(g.input({6}), 4);
    const Node y = twice ? g.add(x, x) : x;
    g.logits(y);
    Parameters parameters(g);
    parameters.initialise(3);
    Plan plan = Plan::make(g, parameters, {.batch = 2});
    const std::vector<float> src = {1, -2, 3, 0.5f, -1, 2, 2, 2, -3, 1, 0, 4};
    plan.forward(src.data(), kStep);
    for (int i = 0; i < 8; ++i) plan.diff_logits()[i] = static_cast<float>(i - 3);
    plan.backward(kStep);
    return std::vector<float>(plan.gradients().begin(), plan.gradients().end());
  };
  auto once = gradients(false);
  for (float& v : once) v *= 2;
  EXPECT_EQ(gradients(true), once);
}

TEST(Plan, LeavesFrozenLayersAndAllBelowAlone) {
  Graph g = build_model("cnn", {.height = 16, .width = 16, .classes = 5});
  g.set_trainable("conv2d", false);
  Parameters parameters(g);
  parameters.initialise(1);
  Plan frozen = Plan::make(g, parameters, {.batch = kBatch});
  for (const auto& node : frozen.nodes()) EXPECT_EQ(node.runs_backward, node.name.starts_with("dense")) << node.name;

  const Pixels pixels(16, 16);
  const StepResult result = run_step(frozen, g, pixels, kStep);
  Graph thawed_graph = build_model("cnn", {.height = 16, .width = 16, .classes = 5});
  Parameters thawed_parameters(thawed_graph);
  Plan thawed = Plan::make(thawed_graph, thawed_parameters, {.batch = kBatch});
  EXPECT_LT(frozen.planned_bytes(), thawed.planned_bytes());
  for (const auto& p : parameters.list()) {
    const auto gradient =
        frozen.gradients().subspan(static_cast<std::size_t>(p.begin), static_cast<std::size_t>(p.end - p.begin));
    const bool all_zero = std::all_of(gradient.begin(), gradient.end(), [](float v) { return v == 0; });
    EXPECT_EQ(all_zero, !p.trainable) << p.name;
  }
}

TEST(Plan, KeepsLogitsInFp32UnderBf16) {
  Graph g = build_model("cnn", {.height = 16, .width = 16, .classes = 5});
  Parameters parameters(g);
  Plan plan = Plan::make(g, parameters, {.batch = kBatch, .precision = Precision::kBf16});
  EXPECT_EQ(plan.nodes().back().problem.dst.type, DType::kF32);
  EXPECT_EQ(plan.nodes().front().problem.dst.type, DType::kBf16);
}

TEST(Plan, SaysWhyAnImplementationWasNotChosen) {
  Graph g = build_model("cnn", {.height = 16, .width = 16, .classes = 5});
  Parameters parameters(g);
  const Plan plan = Plan::make(g, parameters, {.batch = kBatch, .fuse = false});
  int convolutions = 0;
  for (const auto& node : plan.nodes()) {
    for (const auto& refusal : node.refused)
      EXPECT_FALSE(refusal.reason.empty()) << node.name << " " << refusal.implementation;
    if (node.name != "conv2d") continue;
    ++convolutions;
    ASSERT_FALSE(node.refused.empty());
    EXPECT_EQ(node.refused.front().implementation, "onednn:pool-fused");
    EXPECT_EQ(node.refused.front().reason, "no max pool behind it");
  }
  EXPECT_EQ(convolutions, 1);
}

}  // namespace
}  // namespace cudacards
