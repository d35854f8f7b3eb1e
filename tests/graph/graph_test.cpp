// Building a graph: names, shapes, counts, and errors that name the layer.

#include "host/graph/graph.h"

#include <gtest/gtest.h>

#include "host/graph/fusion.h"
#include "models/registry.h"
#include "tests/support/error_text.h"

namespace cudacards {
namespace {

using testing_support::error_text;

TEST(Models, HaveTheNotebooksParameterCounts) {
  EXPECT_EQ(build_model("cnn", {}).parameter_count(), 12'945'269);
  EXPECT_EQ(build_model("mlp", {}).parameter_count(), 38'575'157);
}

TEST(Models, AreGuessedWhenMistyped) {
  EXPECT_EQ(error_text([] { build_model("cnm", {}); }),
            "no model named \"cnm\", did you mean \"cnn\"?; known: cnn, mlp, mobilenetv2");
}

TEST(Graph, NamesLayersAsKerasDoes) {
  const Graph g = build_model("cnn", {});
  std::vector<std::string> names;
  for (const auto& layer : g.layers()) names.push_back(layer.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"input", "rescaling", "conv2d", "max_pooling2d", "conv2d_1", "max_pooling2d_1",
                                      "conv2d_2", "max_pooling2d_2", "flatten", "dropout", "dense", "dense_1"}));
}

TEST(Graph, InfersShapes) {
  Graph g;
  const Node x = g.rescale(g.image(33, 20), 1.0f / 255);
  EXPECT_EQ(g.layer(g.conv2d(x, {.filters = 4, .kernel = 3, .stride = 2})).shape, (Shape{1, 17, 10, 4}));
  EXPECT_EQ(g.layer(g.conv2d(x, {.filters = 4, .kernel = {5, 1}, .padding = Padding::kValid})).shape,
            (Shape{1, 29, 20, 4}));
  EXPECT_EQ(g.layer(g.depthwise_conv2d(x, {.kernel = 3})).shape, (Shape{1, 33, 20, 3}));
  EXPECT_EQ(g.layer(g.max_pool(x)).shape, (Shape{1, 16, 10, 3}));
  EXPECT_EQ(g.layer(g.global_average_pool(x)).shape, (Shape{1, 3}));
  EXPECT_EQ(g.layer(g.flatten(x)).shape, (Shape{1, 33 * 20 * 3}));
}

TEST(Graph, NamesTheLayerThatIsWrong) {
  const auto with_picture = [](auto&& build) {
    return error_text([&] {
      Graph g;
      build(g, g.rescale(g.image(8, 8), 1.0f));
    });
  };
  EXPECT_TRUE(with_picture([](Graph& g, Node x) { g.dense(x, 4); }).starts_with("dense: "));
  EXPECT_TRUE(with_picture([](Graph& g, Node x) {
                g.max_pool(g.max_pool(x), {.window = 5});
              }).starts_with("max_pooling2d_1: "));
  EXPECT_TRUE(with_picture([](Graph& g, Node x) { g.conv2d(x, {.filters = 4, .groups = 2}); }).starts_with("conv2d: "));
  EXPECT_TRUE(with_picture([](Graph& g, Node x) { g.add(x, g.max_pool(x)); }).starts_with("add: "));
  EXPECT_TRUE(with_picture([](Graph& g, Node x) { g.logits(x); }).starts_with("rescaling: "));
  EXPECT_EQ(error_text([] {
              Graph g;
              g.conv2d(g.image(8, 8), {.filters = 4});
            }),
            "conv2d: the input is a uint8 picture; pass it through rescale first");
  EXPECT_EQ(error_text([] {
              Graph g;
              g.image(8, 8);
              g.image(8, 8);
            }),
            "a graph has one input, and it comes first");
}

TEST(Graph, RefusesTwoLayersOfOneName) {
  Graph g;
  const Node x = g.input({4});
  g.dense(x, 4);
  g.named("head");
  g.dense(x, 4);
  EXPECT_EQ(error_text([&] { g.named("head"); }), "two layers are named \"head\"");
}

TEST(Graph, FreezesByPrefix) {
  Graph g = build_model("cnn", {});
  EXPECT_EQ(g.set_trainable("conv2d", false), 3);
  EXPECT_EQ(g.trainable_count(), 12'845'184 + 6'837);
  EXPECT_EQ(g.set_trainable("", true), 5);
  EXPECT_EQ(g.trainable_count(), g.parameter_count());
}

std::vector<std::vector<int>> fused_layers(const Graph& g, bool fuse) {
  std::vector<std::vector<int>> layers;
  for (const auto& step : fuse_layers(g, fuse)) layers.push_back(step.layers);
  return layers;
}

TEST(Fusion, JoinsConvolutionActivationAndPool) {
  Graph g;
  Node x = g.rescale(g.image(8, 8), 1.0f);                                       // 1
  x = g.max_pool(g.activation(g.conv2d(x, {.filters = 2}), Activation::kRelu));  // 2, 3, 4
  x = g.activation(g.dense(g.flatten(x), 3), Activation::kRelu6);                // 5, 6, 7
  g.logits(g.dense(x, 2));                                                       // 8
  EXPECT_EQ(fused_layers(g, true), (std::vector<std::vector<int>>{{1}, {2, 3, 4}, {5}, {6, 7}, {8}}));
  EXPECT_EQ(fused_layers(g, false).size(), 8u);
}

TEST(Fusion, LeavesAResultAloneThatSomebodyElseReads) {
  Graph g;
  Node x = g.rescale(g.image(8, 8), 1.0f);
  const Node c = g.conv2d(x, {.filters = 3});        // 2: read by the activation and by the sum
  x = g.add(g.activation(c, Activation::kRelu), c);  // 3, 4
  g.logits(g.global_average_pool(x));
  EXPECT_EQ(fused_layers(g, true), (std::vector<std::vector<int>>{{1}, {2}, {3}, {4}, {5}}));
}

TEST(Fusion, LeavesOutWhatTheResultDoesNotNeed) {
  Graph g;
  const Node x = g.rescale(g.image(8, 8), 1.0f);
  g.conv2d(x, {.filters = 2});
  g.logits(g.dense(g.flatten(x), 2));
  EXPECT_EQ(fused_layers(g, true), (std::vector<std::vector<int>>{{1}, {3}, {4}}));
}

}  // namespace
}  // namespace cudacards
