// Batch norms that become part of a convolution: where that happens, and that nothing else changes.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "host/graph/fusion.h"
#include "host/graph/plan.h"
#include "host/ops/folded_conv2d.h"
#include "host/ops/softmax_loss.h"
#include "host/runtime/device_buffer.h"
#include "models/registry.h"
#include "tests/support/tested_device.h"

namespace cudacards::testing {
namespace {

constexpr int kBatch = 3, kSide = 40, kClasses = 5;

/// A bias in front of the norm, a norm without an activation, a norm behind an activation: the last must stay.
Graph corners() {
  Graph g;
  Node x = g.rescale(g.image(kSide, kSide), 1 / 127.5f, -1);
  x = g.activation(g.batch_norm(g.conv2d(x, {.filters = 8, .stride = 2, .bias = true})), Activation::kRelu);
  x = g.batch_norm(g.depthwise_conv2d(x, {.kernel = 3}));
  x = g.batch_norm(g.conv2d(x, {.filters = 6, .kernel = 1, .activation = Activation::kRelu}));
  return std::move(g).logits(g.dense(g.global_average_pool(x), kClasses));
}

Graph network(const std::string& name) {
  if (name == "corners") return corners();
  return build_model("mobilenetv2", {.height = kSide, .width = kSide, .classes = kClasses, .width_multiplier = 0.35f});
}

/// Statistics and scales as after training, different in each channel.
void fill(Parameters& parameters) {
  parameters.initialise(4);
  for (const Parameter& p : parameters.list()) {
    const auto values = parameters.values(p);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float wave = std::sin(static_cast<float>(i * 7 + p.name.size()));
      if (p.spec.name == "variance" || p.spec.name == "gamma") values[i] = 1 + 0.5f * wave;
      if (p.spec.name == "mean" || p.spec.name == "beta" || p.spec.name == "bias") values[i] = 0.3f * wave;
    }
  }
  parameters.touch();
}

struct Pixels {
  std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(std::size_t{kBatch} * kSide * kSide * 3);
  std::vector<const std::uint8_t*> images;
  Pixels() {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * i % 251);
    for (std::size_t i = 0; i < kBatch; ++i) images.push_back(bytes.data() + i * kSide * kSide * 3);
  }
  ImageBatch batch() const { return {.images = images, .transforms = {}}; }
};

std::size_t folded_nodes(const Plan& plan) {
  std::size_t count = 0;
  for (const PlanNode& node : plan.nodes()) count += dynamic_cast<const FoldedConv2d*>(node.operation.get()) ? 1 : 0;
  return count;
}

void expect_near(std::span<const float> actual, std::span<const float> expected) {
  double scale = 0;
  for (const float value : expected) scale = std::max(scale, static_cast<double>(std::abs(value)));
  ASSERT_GT(scale, 0);
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(static_cast<double>(actual[i]), static_cast<double>(expected[i]), 2e-5 * scale) << i;
}

std::span<const float> logits(const Plan& plan) { return {plan.logits(), std::size_t{kBatch} * kClasses}; }

class BatchNormFolding : public ::testing::TestWithParam<std::tuple<const char*, ImplChoice>> {
 protected:
  PlanOptions options(Mode mode) const { return {.batch = kBatch, .mode = mode, .impl = std::get<1>(GetParam())}; }
  const Graph graph_ = network(std::get<0>(GetParam()));
  const std::size_t foldable_ = std::string(std::get<0>(GetParam())) == "corners" ? 2 : 52;
  const Pixels pixels_;
};

TEST_P(BatchNormFolding, OfInferenceGivesTheSame) {
  Parameters parameters(graph_);
  fill(parameters);
  PlanOptions unfused = options(Mode::kInfer);
  unfused.fuse = false;
  Plan folded = Plan::make(graph_, parameters, options(Mode::kInfer)), plain = Plan::make(graph_, parameters, unfused);
  EXPECT_EQ(folded_nodes(folded), foldable_);
  EXPECT_EQ(folded_nodes(plain), 0u);
  for (const std::uint64_t seed : {1u, 2u}) {  // parameters that change are folded again
    parameters.initialise(seed);
    fill(parameters);
    for (auto& value : parameters.values()) value *= 1 + 0.1f * static_cast<float>(seed);
    parameters.touch();
    folded.forward(pixels_.batch(), Step{});
    plain.forward(pixels_.batch(), Step{});
    expect_near(logits(folded), logits(plain));
  }
}

TEST_P(BatchNormFolding, OfTrainingIsForFrozenPairsAlone) {
  Graph graph = network(std::get<0>(GetParam()));
  Parameters all(graph);
  EXPECT_EQ(folded_nodes(Plan::make(graph, all, options(Mode::kTrain))), 0u);
  // Frozen but for the first convolution, so that gradients pass through what is folded.
  const std::string first = graph.layers()[2].name;
  graph.set_trainable("", false);
  graph.set_trainable(first, true);
  Parameters parameters(graph);
  fill(parameters);
  PlanOptions unfused = options(Mode::kTrain);
  unfused.fuse = false;
  Plan folded = Plan::make(graph, parameters, options(Mode::kTrain)), plain = Plan::make(graph, parameters, unfused);
  EXPECT_EQ(folded_nodes(folded), foldable_ - 1);
  const std::vector<std::int32_t> labels = {0, 3, 1};
  const auto step = [&](Plan& plan) {
    const Step training{.training = true};
    plan.forward(pixels_.batch(), training);
    softmax_loss(plan.logits(), labels.data(), kBatch, kBatch, kClasses, 0, plan.diff_logits());
    plan.backward(training);
  };
  step(folded);
  step(plain);
  expect_near(logits(folded), logits(plain));
  const Parameter& p = *parameters.find(first + "/weights");
  const auto begin = static_cast<std::size_t>(p.begin), size = static_cast<std::size_t>(p.end - p.begin);
  expect_near(folded.gradients().subspan(begin, size), plain.gradients().subspan(begin, size));
}

TEST_P(BatchNormFolding, CountsTheParametersOfBothLayers) {
  const Graph& graph = graph_;
  std::int64_t counted = 0;
  for (const FusedStep& step : fuse_layers(graph, true, Folding::kAll)) {
    std::vector<Shape> src;
    for (const int input : graph.layers()[static_cast<std::size_t>(step.layers.front())].inputs)
      src.push_back(graph.layers()[static_cast<std::size_t>(input)].shape);
    for (const ParameterSpec& spec : step.operation->parameters(src)) counted += spec.shape.elements();
  }
  EXPECT_EQ(counted, graph.parameter_count());
}

INSTANTIATE_TEST_SUITE_P(Networks, BatchNormFolding,
                         ::testing::Combine(::testing::Values("corners", "mobilenetv2"),
                                            ::testing::Values(ImplChoice::kAuto, ImplChoice::kReference)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) +
                                  (std::get<1>(info.param) == ImplChoice::kAuto ? "_auto" : "_reference");
                         });

class BatchNormFoldingOnADevice : public ::testing::TestWithParam<Precision> {};

TEST_P(BatchNormFoldingOnADevice, GivesTheSame) {
  Device* device = tested_device();
  if (device == nullptr) GTEST_SKIP() << "skipped: this build has no emulator";
  const Graph graph = corners();
  Parameters parameters(graph);
  const Pixels pixels;
  PlanOptions folding{.batch = kBatch, .target = device->target(), .precision = GetParam(), .mode = Mode::kInfer};
  PlanOptions unfused{.batch = kBatch, .mode = Mode::kInfer, .fuse = false};
  Plan folded = Plan::make(graph, parameters, folding, *device), plain = Plan::make(graph, parameters, unfused);
  EXPECT_EQ(folded_nodes(folded), 2u);
  for (const float scale : {1.0f, 1.2f}) {  // parameters that change are folded again
    fill(parameters);
    for (auto& value : parameters.values()) value *= scale;
    parameters.touch();
    folded.forward(pixels.batch(), Step{});
    plain.forward(pixels.batch(), Step{});
    const float* actual = folded.read_logits();
    const float bound = GetParam() == Precision::kF32 ? 1e-5f : 0.03f;  // relative to the largest
    float largest = 0;
    for (const float value : logits(plain)) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < kBatch * kClasses; ++i) EXPECT_NEAR(actual[i], plain.logits()[i], bound * largest) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, BatchNormFoldingOnADevice, ::testing::Values(Precision::kF32, Precision::kBf16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

/// The pictures in a device's memory, as a training step has them.
struct ResidentPixels {
  ResidentPixels(Device& device, const Pixels& pixels)
      : pictures(device, pixels.bytes.size(), "pictures"), indices(device, sizeof kIndices, "indices") {
    device.upload(pictures.data(), pixels.bytes.data(), pixels.bytes.size());
    device.upload(indices.data(), kIndices, sizeof kIndices);
  }
  DeviceImages images() {
    return {.pictures = pictures.as<std::uint8_t>().data(), .indices = indices.as<std::int32_t>().data()};
  }
  static constexpr std::int32_t kIndices[kBatch] = {0, 1, 2};
  DeviceBuffer pictures, indices;
};

TEST(FoldingInACapturedStep, IsDoneBeforeItAndOnlyWhereTheHostHasChangedParameters) {
  Device* device = tested_device();
  if (device == nullptr) GTEST_SKIP() << "skipped: this build has no emulator";
  Graph graph = corners();
  const std::string last = graph.layers().back().name;
  graph.set_trainable("", false);
  graph.set_trainable(last, true);
  Parameters parameters(graph);
  fill(parameters);
  const Pixels pixels;
  ResidentPixels resident(*device, pixels);
  const PlanOptions options{.batch = kBatch, .mode = Mode::kTrain};
  const Step step{.training = true};
  Plan plan = Plan::make(graph, parameters, options, *device);
  EXPECT_EQ(folded_nodes(plan), 2u);
  device->start_profiler();
  const auto launches_of = [&](const auto& body) {
    const WorkCounts before = device->counts();
    body();
    device->synchronise();
    return (device->counts() - before).launches;
  };
  const auto first = launches_of([&] { plan.forward(resident.images(), step); });
  const auto captured = device->capture([&] { plan.forward(resident.images(), step); });
  const auto replayed = launches_of([&] { captured->run(); });
  device->stop_profiler();
  if (device->kind() == DeviceKind::kEmulated) {
    EXPECT_EQ(first - replayed, 2u) << "a launch for each folded pair";
  }
  // What the host changes later is folded by prepare(), and the captured work sees it.
  for (auto& value : parameters.values()) value *= 1.2f;
  parameters.touch();
  plan.prepare();
  captured->run();
  const float* actual = plan.read_logits();
  Plan fresh = Plan::make(graph, parameters, options, *device);
  fresh.forward(resident.images(), step);
  const float* expected = fresh.read_logits();
  for (std::size_t i = 0; i < kBatch * kClasses; ++i) EXPECT_EQ(actual[i], expected[i]) << i;
}

TEST(Observe, ShowsEveryResultThatForwardMakes) {
  const Graph graph = corners();
  Parameters parameters(graph);
  fill(parameters);
  const Pixels pixels;
  Plan plan = Plan::make(graph, parameters, {.batch = kBatch, .mode = Mode::kInfer, .fuse = false});
  plan.forward(pixels.batch(), Step{});
  const std::vector<float> expected(plan.logits(), plan.logits() + kBatch * kClasses);
  std::vector<std::string> seen;
  std::vector<float> last;
  plan.observe(pixels.batch(), Step{}, [&](const PlanNode& node, const void* dst) {
    seen.push_back(node.name);
    const auto* values = static_cast<const float*>(dst);
    last.assign(values, values + node.problem.dst.shape.elements());
  });
  EXPECT_EQ(seen.size(), graph.layers().size() - 1);
  EXPECT_EQ(seen.back(), "dense");
  EXPECT_EQ(last, expected);
}

}  // namespace
}  // namespace cudacards::testing
