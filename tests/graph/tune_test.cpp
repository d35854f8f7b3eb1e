// What a plan chooses: by the list's order, by measurement, by rule; and that it says which.

#include "host/graph/tune.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "host/ops/place.h"
#include "tests/support/error_text.h"
#include "tests/support/log_watch.h"
#include "tests/support/planted_dense.h"
#include "tests/support/tested_device.h"

namespace cudacards {
namespace {

using testing::Planted;
using testing::PlantedDense;
using testing_support::error_text;
using testing_support::ExpectWarning;
using testing_support::logged_notes;

constexpr MeasureOptions kQuick = {.repetitions = 3, .budget_seconds = 0.001};
constexpr int kBatch = 6;

Graph graph_of(const std::vector<Planted>& list, int layers = 1) {
  Graph g;
  Node x = g.input({7});
  for (int i = 0; i < layers; ++i) x = g.apply(std::make_shared<PlantedDense>(7, list), {x});
  g.logits(x);
  return g;
}

struct Tuned {
  std::shared_ptr<const TuningTable> table;
  int measured = 0;
};

Tuned tuned(const Graph& graph, const TuningTable& known = {}) {
  Tuned result;
  result.table =
      std::make_shared<TuningTable>(tune(graph, {.batch = kBatch}, cpu_device(), known, result.measured, {}, kQuick));
  return result;
}

PlanNode node_of(const Graph& graph, PlanOptions options) {
  options.batch = kBatch;
  return Plan::look_at(graph, options).nodes().back();
}

TEST(Choice, TakesTheListsOrderWithoutMeasurements) {
  const PlanNode node = node_of(graph_of({Planted::kUnwilling, Planted::kSlow, Planted::kSound}), {});
  EXPECT_EQ(node.implementation, "slow");
  EXPECT_EQ(node.choice.reason, ChoiceReason::kOrder);
  ASSERT_EQ(node.refused.size(), 1u);
  EXPECT_EQ(node.refused[0].implementation, "unwilling");
  EXPECT_EQ(node.refused[0].reason, "it does not want to");
}

TEST(Choice, TakesTheFastestThatWasMeasured) {
  const Graph graph = graph_of({Planted::kUnwilling, Planted::kSlow, Planted::kSound});
  const Tuned measured = tuned(graph);
  EXPECT_EQ(measured.measured, 1);
  EXPECT_EQ(measured.table->place, place_of(cpu_device()));
  const PlanNode node = node_of(graph, {.tuning = measured.table});
  EXPECT_NE(node.implementation, "slow");
  EXPECT_EQ(node.choice.reason, ChoiceReason::kMeasured);
  ASSERT_EQ(node.choice.measured.size(), 3u) << "slow, sound, reference";
  ASSERT_EQ(node.refused.size(), 1u);
  EXPECT_EQ(node.refused[0].implementation, "unwilling");
}

TEST(Choice, RefusesWhoDisagreesLoudly) {
  const Graph graph = graph_of({Planted::kWrongGradient, Planted::kSlow});
  Tuned measured;
  {
    const ExpectWarning warning("planted: wrong-gradient is not used: it disagrees with reference by ");
    measured = tuned(graph);
  }
  const PlanNode node = node_of(graph, {.tuning = measured.table});
  EXPECT_EQ(node.implementation, "reference") << "the slow one is the only other";
  ASSERT_EQ(node.refused.size(), 1u);
  EXPECT_EQ(node.refused[0].implementation, "wrong-gradient");
  EXPECT_TRUE(node.refused[0].reason.starts_with("disagrees with reference by "));
  EXPECT_EQ(node_of(graph, {.impl = ImplChoice::kHand, .tuning = measured.table}).implementation, "reference")
      << "a family is no reason to take it";
  ImplRules named;
  named.add("planted=wrong-gradient", "--impl");
  EXPECT_EQ(node_of(graph, {.impl = named, .tuning = measured.table}).implementation, "wrong-gradient")
      << "who names it gets it";
}

TEST(Choice, MeasuresEachProblemOnceAndNothingThatIsKnown) {
  const Graph graph = graph_of({Planted::kSound}, 3);
  const Tuned first = tuned(graph);
  EXPECT_EQ(first.measured, 2) << "the first layer wants no gradient of its source, the others are one problem";
  const Tuned again = tuned(graph, *first.table);
  EXPECT_EQ(again.measured, 0);
  EXPECT_EQ(again.table->entries, first.table->entries);
}

TEST(Choice, MeasuresConvolutionsThatABatchNormIsFoldedInto) {
  Graph graph;
  Node x = graph.rescale(graph.image(8, 8), 1 / 127.5f, -1);
  x = graph.activation(graph.batch_norm(graph.conv2d(x, {.filters = 4, .bias = false})), Activation::kRelu);
  graph.logits(graph.global_average_pool(x));
  const PlanOptions options{.batch = 2, .target = cpu_device().target(), .mode = Mode::kInfer};
  int measured = 0;
  const auto table = std::make_shared<TuningTable>(tune(graph, options, cpu_device(), {}, measured, {}, kQuick));
  PlanOptions tuned = options;
  tuned.tuning = table;
  const Plan plan = Plan::look_at(graph, tuned);
  const auto folded = std::ranges::find(plan.nodes(), "conv2d", &PlanNode::name);
  ASSERT_NE(folded, plan.nodes().end());
  EXPECT_EQ(folded->layers.size(), 3u);
  EXPECT_EQ(folded->choice.reason, ChoiceReason::kMeasured);
}

TEST(Choice, BelievesWhatIsKnown) {
  const Graph graph = graph_of({Planted::kSound, Planted::kSlow});
  TuningTable known = *tuned(graph).table;
  for (CandidateResult& candidate : known.entries.begin()->second.candidates)
    candidate.forward_seconds = candidate.implementation == "slow" ? 1e-9 : 1;
  const PlanNode node = node_of(graph, {.tuning = tuned(graph, known).table});
  EXPECT_EQ(node.implementation, "slow");
}

TEST(Choice, FollowsRules) {
  const Graph graph = graph_of({Planted::kSound, Planted::kSlow, Planted::kUnwilling}, 2);
  const auto chosen = [&](const std::string& text) {
    PlanOptions options;
    options.impl.add(text, "--impl");
    return node_of(graph, options);
  };
  EXPECT_EQ(chosen("auto").implementation, "sound");
  EXPECT_EQ(chosen("vendor").implementation, "slow");
  EXPECT_EQ(chosen("vendor").choice.reason, ChoiceReason::kAsked);
  EXPECT_EQ(chosen("reference").implementation, "reference");
  EXPECT_TRUE(chosen("reference").refused.empty());
  EXPECT_EQ(chosen("slow").implementation, "slow");
  EXPECT_EQ(chosen("planted=slow").implementation, "sound") << "that was the other node";
  EXPECT_EQ(chosen("planted_1=slow").implementation, "slow");
  EXPECT_EQ(chosen("reference,planted_1=auto").implementation, "sound");
  EXPECT_EQ(chosen("unwilling").implementation, "sound") << "everywhere it is a wish";
  EXPECT_EQ(chosen("unwilling").refused.size(), 1u);
  EXPECT_EQ(error_text([&] { (void)chosen("planted_1=unwilling"); }),
            "--impl: planted_1 cannot be unwilling: it does not want to");
}

TEST(Choice, PrefersTheFastestOfTheFamilyThatIsAskedFor) {
  const Graph graph = graph_of({Planted::kSound, Planted::kSlow});
  const auto table = tuned(graph).table;
  EXPECT_EQ(node_of(graph, {.impl = ImplChoice::kVendor, .tuning = table}).implementation, "slow");
}

TEST(Choice, IsMeasuredOnTheEmulatorToo) {
  Device* device = testing::tested_device();
  if (device == nullptr) GTEST_SKIP() << "no emulator in this build";
  Graph graph;
  graph.logits(graph.dense(graph.dense(graph.input({12}), 8, Activation::kRelu), 3));
  int measured = 0;
  const auto table = std::make_shared<TuningTable>(
      tune(graph, {.batch = 4, .precision = Precision::kBf16}, *device, {}, measured, {}, kQuick));
  EXPECT_GT(measured, 0);
  for (const auto& [key, entry] : table->entries) {
    for (const CandidateResult& candidate : entry.candidates) EXPECT_EQ(candidate.refusal, "") << key;
  }
  const Plan plan =
      Plan::look_at(graph, {.batch = 4, .target = device->target(), .precision = Precision::kBf16, .tuning = table});
  EXPECT_EQ(plan.nodes()[0].choice.reason, ChoiceReason::kMeasured);
}

TEST(Choice, GoesOnWhereMemoryIsTooShortToMeasure) {
  // Its matrix would be larger than any address space.
  Graph graph;
  graph.logits(
      graph.apply(std::make_shared<PlantedDense>(1 << 28, std::vector{Planted::kSound}), {graph.input({1 << 28})}));
  int measured = -1;
  const TuningTable table = tune(graph, {.batch = 1}, cpu_device(), {}, measured, {}, kQuick);
  EXPECT_EQ(measured, 0);
  EXPECT_TRUE(table.entries.empty());
  ASSERT_FALSE(logged_notes().empty());
  EXPECT_TRUE(logged_notes().back().starts_with("planted is not measured: ")) << logged_notes().back();
}

}  // namespace
}  // namespace cudacards
