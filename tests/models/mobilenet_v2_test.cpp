// MobileNetV2 as a description: the counts of Keras' summaries, channels at every width, names that weights rely on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "models/registry.h"
#include "tests/support/error_text.h"

namespace cudacards {
namespace {

using testing_support::error_text;

Graph mobilenet(const ModelSpec& spec) { return build_model("mobilenetv2", spec); }

const Layer& layer_named(const Graph& graph, const std::string& name) {
  for (const Layer& layer : graph.layers()) {
    if (layer.name == name) return layer;
  }
  throw std::runtime_error("no layer " + name);
}

TEST(MobileNetV2, HasTheCountsOfTheNotebooksSummaries) {
  const ModelSpec at_128{.height = 128, .width = 128, .width_multiplier = 0.35f};
  ModelSpec spec = at_128;
  spec.head = Head::kNotebook;
  const Graph notebook = mobilenet(spec);
  EXPECT_EQ(notebook.parameter_count(), 1'745'595);
  EXPECT_EQ(notebook.trainable_count(), 53'106);
  spec.head = Head::kNotebookFinetune;
  const Graph finetune = mobilenet(spec);
  EXPECT_EQ(finetune.parameter_count(), 1'827'582);
  EXPECT_EQ(finetune.trainable_count(), 135'093);
  spec.head = Head::kImagenet;
  spec.classes = kImagenetLogits;
  EXPECT_EQ(mobilenet(spec).parameter_count(), 1'692'489);
  const Graph linear = mobilenet(at_128);
  EXPECT_EQ(linear.parameter_count(), 410'208 + 1280 * 53 + 53);
  EXPECT_EQ(linear.trainable_count(), linear.parameter_count() - 14'080) << "all but the running statistics";
}

// keras.applications.MobileNetV2(alpha=..., include_top=False).count_params()
TEST(MobileNetV2, HasKerasBackboneAtEveryWidth) {
  const std::map<float, std::int64_t> values = {{0.35f, 410'208},  {0.5f, 706'224},   {0.75f, 1'382'064},
                                                {1.0f, 2'257'984}, {1.3f, 3'766'048}, {1.4f, 4'363'712}};
  for (const auto& [width, expected] : values) {
    const Graph graph = mobilenet({.classes = 2, .width_multiplier = width});
    const std::int64_t head = graph.layer({graph.result()}).parameters[0].shape.elements() + 2;
    EXPECT_EQ(graph.parameter_count() - head, expected) << width;
  }
}

TEST(MobileNetV2, HasTheShapesAndNamesThatWeightsRelyOn) {
  const Graph graph = mobilenet({.width_multiplier = 0.35f});
  EXPECT_EQ(layer_named(graph, "stem/conv").shape, (Shape{1, 112, 112, 16}));
  EXPECT_EQ(layer_named(graph, "block_00/project_bn").shape, (Shape{1, 112, 112, 8}));
  EXPECT_EQ(layer_named(graph, "block_01/depthwise_relu").shape, (Shape{1, 56, 56, 48}));
  EXPECT_EQ(layer_named(graph, "block_02/add").shape, (Shape{1, 56, 56, 8}));
  EXPECT_EQ(layer_named(graph, "block_16/project_bn").shape, (Shape{1, 7, 7, 112}));
  EXPECT_EQ(layer_named(graph, "top/bn").shape, (Shape{1, 7, 7, 1280}));
  EXPECT_EQ(layer_named(graph, "pool").shape, (Shape{1, 1280}));
  EXPECT_EQ(layer_named(graph, "head").shape, (Shape{1, 53}));
  EXPECT_EQ(layer_named(graph, "block_03/depthwise").parameters[0].shape, (Shape{48, 3, 3, 1}));
  std::size_t tensors = 0, adds = 0;
  for (const Layer& layer : graph.layers()) {
    tensors += layer.parameters.size();
    adds += layer.name.ends_with("/add") ? 1 : 0;
  }
  EXPECT_EQ(tensors, 260u + 2u);
  EXPECT_EQ(adds, 10u);
}

TEST(MobileNetV2, TakesAnySize) {
  for (const int size : {8, 32, 33, 97, 128, 225}) {
    const Graph graph = mobilenet({.height = size, .width = size + 3});
    EXPECT_EQ(layer_named(graph, "top/relu").shape, (Shape{1, (size + 31) / 32, (size + 34) / 32, 1280})) << size;
  }
}

TEST(MobileNetV2, ScalesPixelsItself) {
  const auto* rescale = dynamic_cast<const Rescale*>(layer_named(mobilenet({}), "rescaling").operation.get());
  ASSERT_NE(rescale, nullptr);
  EXPECT_EQ(0 * rescale->scale + rescale->offset, -1.0f);
  EXPECT_FLOAT_EQ(255 * rescale->scale + rescale->offset, 1.0f);
}

TEST(MobileNetV2, GivesTheNotebooksHeadsUnscaledPixelsOnRequest) {
  for (const Head head : {Head::kNotebook, Head::kNotebookFinetune}) {
    const Graph graph = mobilenet({.input_range = InputRange::kUnscaled, .head = head});
    const auto* rescale = dynamic_cast<const Rescale*>(layer_named(graph, "rescaling").operation.get());
    ASSERT_NE(rescale, nullptr);
    EXPECT_EQ(0 * rescale->scale + rescale->offset, -1.0f);
    EXPECT_EQ(255 * rescale->scale + rescale->offset, 509.0f);
  }
  EXPECT_EQ(error_text([] { mobilenet({.input_range = InputRange::kUnscaled}); }),
            "mobilenetv2 has the input range of its weights, -1..1: leave the other out");
  EXPECT_EQ(error_text([] { build_model("mlp", {.input_range = InputRange::kUnscaled}); }),
            "mlp has no input range unscaled: that is a mistake of mobilenetv2's notebook heads");
}

TEST(MobileNetV2, RefusesWhatItIsNotMadeFor) {
  EXPECT_EQ(error_text([] { mobilenet({.width_multiplier = 0.3f}); }),
            "mobilenetv2 has no width 0.3, did you mean 0.35?; known: 0.35, 0.5, 0.75, 1, 1.3, 1.4");
  EXPECT_EQ(error_text([] { mobilenet({.classes = 53, .head = Head::kImagenet}); }),
            "the head imagenet names ImageNet's 1001 classes, or 1000 without the background, not 53: use the head "
            "linear for others");
  EXPECT_EQ(mobilenet({.classes = 1000, .head = Head::kImagenet}).classes(), 1000);
  EXPECT_EQ(error_text([] { build_model("cnn", {.width_multiplier = 0.5f}); }),
            "cnn has one width: leave out the width 0.5");
  EXPECT_EQ(error_text([] { build_model("mlp", {.head = Head::kNotebook}); }),
            "mlp has one head, linear: leave the other out");
}

}  // namespace
}  // namespace cudacards
