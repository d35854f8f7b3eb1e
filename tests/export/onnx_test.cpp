// The exported ONNX graph, node by node and number by number: layouts, padding, folding, names, and what is refused.

#include "host/export/onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/registry.h"
#include "tests/support/error_text.h"
#include "tests/support/formula.h"

#ifdef CUDACARDS_HAS_ONNX
#include "tests/export/parsed_onnx.h"
#endif

namespace cudacards {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace testing_support;

TEST(OnnxSize, IsRefusedAboveProtobufsLimitAndNotBelow) {
  EXPECT_EQ(error_text([] { require_fits_onnx(build_model("mlp", {})); }), "(no error)");
  const auto side = [](int n) {
    return error_text([n] { require_fits_onnx(build_model("mlp", {.height = n, .width = n})); });
  };
  EXPECT_EQ(side(830), "(no error)");  // 2,116 MB, the limit is 2,147
  EXPECT_THAT(side(840), AllOf(HasSubstr("2.0 GiB, an ONNX file holds at most 2 GiB"), HasSubstr("--safetensors")));
}

#ifndef CUDACARDS_HAS_ONNX

TEST(Onnx, SaysWhatIsMissing) {
  const Graph graph = build_model("mlp", {.height = 8, .width = 8});
  const Parameters parameters(graph);
  EXPECT_THAT(error_text([&] { to_onnx({graph, parameters, "mlp", {}, "", ""}); }), HasSubstr("install libonnx-dev"));
}

#else

/// A graph with values that differ everywhere; of batch norms too.
struct Filled {
  explicit Filled(Graph g) : graph(std::move(g)), parameters(graph) {
    set_initial_values(parameters);
    for (const Parameter& p : parameters.list()) {
      if (p.spec.name != "mean" && p.spec.name != "variance") continue;
      const auto values = parameters.values(p);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] += static_cast<float>(0.5 * uniform(static_cast<std::int64_t>(i), key_of(p.name)));
    }
  }
  std::string bytes() const {
    return to_onnx({graph, parameters, "test", {"ace of clubs", "\"joker\""}, "squash", "1.2"});
  }
  std::span<const float> values(const std::string& name) const { return parameters.values(*parameters.find(name)); }

  const Graph graph;
  Parameters parameters;
};

/// 5 x 4: the strided convolution pads (1,1) rows and (0,1) columns, and the pool drops nothing.
Graph small() {
  Graph g;
  Node x = g.rescale(g.image(5, 4), 1 / 127.5f, -1.0f);
  x = g.batch_norm(g.conv2d(x, {.filters = 2, .stride = 2, .bias = false}));             // (3,2,2)
  x = g.max_pool(g.activation(x, Activation::kRelu6), {.window = {2, 1}, .stride = 1});  // (2,2,2)
  x = g.dense(g.dropout(g.flatten(x), 0.5f), 3, Activation::kRelu);
  return std::move(g).logits(g.dense(x, 2));
}

TEST(Onnx, DescribesInputOutputsAndItself) {
  const ParsedOnnx onnx(Filled(small()).bytes());
  ASSERT_EQ(onnx.model.opset_import_size(), 1);
  EXPECT_EQ(onnx.model.opset_import(0).version(), 17);
  EXPECT_EQ(onnx.model.producer_name() + onnx.model.producer_version(), "cudacards1.2");
  const auto& graph = onnx.model.graph();
  ASSERT_EQ(graph.input_size(), 1);
  EXPECT_EQ(graph.input(0).name(), "pixels");
  EXPECT_EQ(graph.input(0).type().tensor_type().elem_type(), onnx::TensorProto::UINT8);
  EXPECT_EQ(shape_text(graph.input(0)), "batch, 5, 4, 3");
  ASSERT_EQ(graph.output_size(), 2);
  EXPECT_EQ(graph.output(0).name(), "logits");
  EXPECT_EQ(graph.output(1).name(), "probabilities");
  EXPECT_EQ(shape_text(graph.output(1)), "batch, 2");
  auto facts = onnx.metadata();
  EXPECT_EQ(facts["classes"], R"(["ace of clubs","\"joker\""])");
  EXPECT_EQ(facts["image_height"] + " x " + facts["image_width"], "5 x 4");
  EXPECT_EQ(facts["input.mean"] + " " + facts["input.deviation"], "127.5 127.5");
}

TEST(Onnx, IsTransposedOnceAndFoldsAndPadsExplicitly) {
  const Filled filled(small());
  const ParsedOnnx onnx(filled.bytes());
  EXPECT_THAT(onnx.operations(), ElementsAre("Transpose", "Cast", "Mul", "Add", "Conv", "Clip", "MaxPool", "Flatten",
                                             "Gemm", "Relu", "Gemm", "Softmax"));
  EXPECT_THAT(onnx.integers("channels_first", "perm"), ElementsAre(0, 3, 1, 2));
  EXPECT_THAT(onnx.values("rescaling/scale"), ElementsAre(1 / 127.5f));
  EXPECT_THAT(onnx.values("rescaling/offset"), ElementsAre(-1.0f));
  EXPECT_THAT(onnx.integers("conv2d", "pads"), ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(onnx.integers("conv2d", "strides"), ElementsAre(2, 2));
  EXPECT_THAT(onnx.integers("conv2d", "kernel_shape"), ElementsAre(3, 3));
  EXPECT_EQ(onnx.attribute("conv2d", "group").i(), 1);
  EXPECT_THAT(onnx.values("conv2d/most"), ElementsAre(6.0f));
  EXPECT_THAT(onnx.integers("max_pooling2d", "kernel_shape"), ElementsAre(2, 1));
  EXPECT_THAT(onnx.integers("max_pooling2d", "strides"), ElementsAre(1, 1));

  // (K,C,R,S) of (K,R,S,C), each filter times its norm's scale.
  ASSERT_THAT(onnx.shape("conv2d/weights"), ElementsAre(2, 3, 3, 3));
  const auto theirs = onnx.values("conv2d/weights"), bias = onnx.values("conv2d/bias");
  const auto ours = filled.values("conv2d/weights");
  for (std::size_t k = 0; k < 2; ++k) {
    const auto norm = [&](const char* leaf) {
      return double{filled.values(std::string("batch_normalization/") + leaf)[k]};
    };
    const double scale = norm("gamma") / std::sqrt(norm("variance") + double{1e-3f});
    EXPECT_FLOAT_EQ(bias[k], static_cast<float>(norm("beta") - norm("mean") * scale));
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t tap = 0; tap < 9; ++tap)
        EXPECT_FLOAT_EQ(theirs[(k * 3 + c) * 9 + tap], static_cast<float>(ours[(k * 9 + tap) * 3 + c] * scale));
    }
  }
}

TEST(Onnx, ReordersTheColumnsOfADenseLayerBehindAFlattenedPicture) {
  const Filled filled(small());
  const ParsedOnnx onnx(filled.bytes());
  EXPECT_EQ(onnx.attribute("dense", "transB").i(), 1);
  ASSERT_THAT(onnx.shape("dense/weights"), ElementsAre(3, 8));
  const auto theirs = onnx.values("dense/weights"), next = onnx.values("dense_1/weights");
  const auto ours = filled.values("dense/weights");
  for (std::size_t unit = 0; unit < 3; ++unit) {
    for (std::size_t c = 0; c < 2; ++c) {
      for (std::size_t pixel = 0; pixel < 4; ++pixel)
        EXPECT_EQ(theirs[unit * 8 + c * 4 + pixel], ours[unit * 8 + pixel * 2 + c]);
    }
  }
  EXPECT_TRUE(std::ranges::equal(next, filled.values("dense_1/weights")));
  EXPECT_TRUE(std::ranges::equal(onnx.values("dense/bias"), filled.values("dense/bias")));
}

TEST(Onnx, LeavesPicturesAloneWhereNoLayerLooksAtNeighbours) {
  const Filled filled(build_model("mlp", {.height = 3, .width = 4, .classes = 2}));
  const ParsedOnnx onnx(filled.bytes());
  EXPECT_THAT(onnx.operations(),
              ElementsAre("Cast", "Mul", "Flatten", "Gemm", "Relu", "Gemm", "Relu", "Gemm", "Softmax"));
  EXPECT_TRUE(std::ranges::equal(onnx.values("dense/weights"), filled.values("dense/weights")));
}

TEST(Onnx, WritesTheOtherOperations) {
  Graph g;
  Node x = g.conv2d(g.rescale(g.image(4, 4), 1.0f / 255), {.filters = 4, .kernel = 1, .activation = Activation::kRelu});
  Node y = g.depthwise_conv2d(x, {.padding = Padding::kValid});  // (2,2,4)
  y = g.softmax(g.batch_norm(g.add(y, g.max_pool(x))));          // nothing to fold into
  y = g.batch_norm(g.softmax(g.dense(g.global_average_pool(y), 2)));
  g.logits(g.dropout(y, 0.5f));
  const Filled filled(std::move(g));
  const ParsedOnnx onnx(filled.bytes());
  EXPECT_THAT(onnx.operations(), ElementsAre("Transpose", "Cast", "Mul", "Conv", "Relu", "Conv", "MaxPool", "Add",
                                             "BatchNormalization", "Softmax", "GlobalAveragePool", "Flatten", "Gemm",
                                             "Softmax", "BatchNormalization", "Softmax"));
  EXPECT_EQ(onnx.attribute("depthwise_conv2d", "group").i(), 4);
  EXPECT_THAT(onnx.integers("depthwise_conv2d", "pads"), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(onnx.shape("depthwise_conv2d/weights"), ElementsAre(4, 1, 3, 3));
  EXPECT_EQ(onnx.attribute("batch_normalization", "epsilon").f(), 1e-3f);
  EXPECT_TRUE(std::ranges::equal(onnx.values("batch_normalization/mean"), filled.values("batch_normalization/mean")));
  EXPECT_EQ(onnx.attribute("softmax", "axis").i(), 1);     // channels of a picture
  EXPECT_EQ(onnx.attribute("softmax_1", "axis").i(), -1);  // columns
  EXPECT_EQ(onnx.node("batch_normalization_1").output(0), "logits");
}

TEST(Onnx, GivesBatchNormsOfAFlattenedPictureItsOrder) {
  Graph g;
  Node x = g.flatten(g.max_pool(g.rescale(g.image(4, 2), 1.0f)));  // (2,1,3)
  g.logits(g.dense(g.batch_norm(x), 2));
  const Filled filled(std::move(g));
  const auto theirs = ParsedOnnx(filled.bytes()).values("batch_normalization/beta");
  const auto ours = filled.values("batch_normalization/beta");
  EXPECT_THAT(theirs, ElementsAre(ours[0], ours[3], ours[1], ours[4], ours[2], ours[5]));
}

TEST(Onnx, KeepsItsPromisedNamesToItself) {
  Graph g;
  Node x = g.dense(g.flatten(g.rescale(g.image(2, 2), 1.0f)), 4);
  g.named("logits");
  g.logits(g.dense(x, 2));
  g.named("pixels");
  const ParsedOnnx onnx(Filled(std::move(g)).bytes());
  EXPECT_EQ(onnx.node("logits_1").output(0), "logits_1");
  EXPECT_EQ(onnx.node("pixels_1").input(0), "logits_1");
  EXPECT_EQ(onnx.node("pixels_1").output(0), "logits");
}

TEST(Onnx, TakesTensorsAndPassesThemOn) {
  Graph g;
  g.logits(g.dropout(g.input({3}), 0.1f));
  const ParsedOnnx onnx(Filled(std::move(g)).bytes());
  EXPECT_THAT(onnx.operations(), ElementsAre("Identity", "Softmax"));
  EXPECT_EQ(onnx.model.graph().input(0).type().tensor_type().elem_type(), onnx::TensorProto::FLOAT);
  EXPECT_EQ(onnx.model.graph().node(0).output(0), "logits");
}

TEST(Onnx, GivesTheSameBytesAgain) { EXPECT_EQ(Filled(small()).bytes(), Filled(small()).bytes()); }

class Mystery final : public Operation {
 public:
  std::string_view kind() const override { return "Mystery"; }
  std::string_view stem() const override { return "mystery"; }
  Shape infer_shape(std::span<const Shape> src) const override { return src[0]; }
  std::span<const Implementation> implementations(DeviceKind) const override { return {}; }
};

TEST(Onnx, RefusesAnOperationWithoutAFormByName) {
  Graph g;
  g.logits(g.dense(g.apply(std::make_shared<Mystery>(), {g.input({3})}), 2));
  EXPECT_EQ(error_text([&] { Filled(g).bytes(); }), "mystery: Mystery has no ONNX form");
}

TEST(Onnx, RefusesABatchNormOfThreeDimensions) {
  Graph g;
  g.logits(g.dense(g.flatten(g.batch_norm(g.input({2, 3}))), 2));
  EXPECT_THAT(error_text([&] { Filled(g).bytes(); }), HasSubstr("a batch norm of (1, 2, 3) has no ONNX form"));
}

#endif

}  // namespace
}  // namespace cudacards
