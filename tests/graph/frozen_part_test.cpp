// Where a graph can be cut into a part that stays and a part that learns, and that the two make the whole.

#include "host/graph/frozen_part.h"

#include <gtest/gtest.h>

#include "host/graph/plan.h"
#include "models/registry.h"

namespace cudacards {
namespace {

std::string end_of(const Graph& graph) {
  const std::optional<Node> end = end_of_frozen_part(graph);
  return end ? graph.layer(*end).name : "none";
}

Graph mobilenet(const Freeze& freeze, Head head = Head::kLinear, BatchNorms norms = BatchNorms::kBatch) {
  return build_model("mobilenetv2", {.height = 32,
                                     .width = 32,
                                     .width_multiplier = 0.35f,
                                     .head = head,
                                     .fine_tuning = {.freeze = freeze, .batch_norms = norms}});
}

TEST(FrozenPart, EndsBelowTheHead) {
  EXPECT_EQ(end_of(mobilenet({Freeze::Part::kBackbone})), "pool");
  EXPECT_EQ(end_of(mobilenet({}, Head::kNotebook)), "classifier");
  EXPECT_EQ(end_of(mobilenet({}, Head::kNotebookFinetune)), "classifier");
}

TEST(FrozenPart, IsNoneWhereSomethingBelowTheHeadLearns) {
  EXPECT_EQ(end_of(mobilenet({})), "none");
  EXPECT_EQ(end_of(mobilenet({Freeze::Part::kBlocks, 17})), "none") << "the last convolution";
  EXPECT_EQ(end_of(mobilenet({}, Head::kLinear, BatchNorms::kFrozen)), "none");
}

TEST(FrozenPart, IsNoneWherePixelsAreAllThatStays) {
  EXPECT_EQ(end_of(build_model("mlp", {.height = 8, .width = 8, .classes = 3})), "none");
}

/// dense "a" -> dense "b" -> dense "c"; each test adds its own between.
struct Chain {
  Graph g;
  Node x = g.input({6});
  void dense(const char* name) {
    x = g.dense(x, 6);
    g.named(name);
  }
};

TEST(FrozenPart, EndsBeforeWhatIsRandom) {
  Chain c;
  c.dense("a");
  c.x = c.g.dropout(c.x, 0.5f);
  c.dense("b");
  c.dense("c");
  c.g.logits(c.x);
  c.g.set_trainable("a", false);
  c.g.set_trainable("b", false);
  EXPECT_EQ(end_of(c.g), "a");
}

TEST(FrozenPart, EndsBeforeAWayAround) {
  Chain c;
  c.dense("a");
  const Node a = c.x;
  c.dense("b");
  c.x = c.g.dense(c.g.add(a, c.x), 6);
  c.g.logits(c.x);
  c.g.set_trainable("a", false);
  c.g.set_trainable("b", false);
  EXPECT_EQ(end_of(c.g), "add") << "both ways end there";
  Chain d;
  d.dense("a");
  const Node around = d.x;
  d.dense("b");
  const Node frozen = d.x;
  d.x = around;
  d.dense("learns");
  d.g.logits(d.g.add(frozen, d.x));
  d.g.set_trainable("a", false);
  d.g.set_trainable("b", false);
  EXPECT_EQ(end_of(d.g), "a");
}

TEST(FrozenPart, IsNotTheWholeGraph) {
  Chain c;
  c.dense("a");
  c.dense("b");
  c.g.logits(c.x);
  c.g.set_trainable("", false);
  EXPECT_EQ(end_of(c.g), "a") << "the result itself is nothing to learn from";
}

TEST(GraphAbove, ComputesWithTheBelowWhatTheWholeDoes) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    const Graph whole = mobilenet({Freeze::Part::kBackbone});
    const Node end = *end_of_frozen_part(whole);
    const Graph above = whole.above(end);
    EXPECT_EQ(above.parameter_count(), whole.parameter_count());
    EXPECT_EQ(above.input_kind(), InputKind::kTensor);
    EXPECT_EQ(above.input_shape(), (Shape{1, 1280}));
    Graph below = whole;
    below.logits(end);
    Parameters parameters(whole);
    parameters.initialise(3);
    const PlanOptions infer{.batch = 2, .precision = precision, .mode = Mode::kInfer};
    Plan all = Plan::make(whole, parameters, infer), first = Plan::make(below, parameters, infer);
    Plan second = Plan::make(above, parameters, {.batch = 2, .precision = precision, .mode = Mode::kTrain});
    ASSERT_EQ(second.nodes().size(), 1u);
    std::vector<std::uint8_t> pixels(std::size_t{2} * 32 * 32 * 3);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);
    const std::vector<const std::uint8_t*> images = {pixels.data(), pixels.data() + 32 * 32 * 3};
    all.forward({.images = images, .transforms = {}}, Step{});
    first.forward({.images = images, .transforms = {}}, Step{});
    second.set_input(first.logits());
    second.forward(Step{});
    for (int i = 0; i < 2 * 53; ++i)
      ASSERT_NEAR(second.logits()[i], all.logits()[i], precision == Precision::kBf16 ? 1e-2 : 1e-5) << i;
  }
}

}  // namespace
}  // namespace cudacards
