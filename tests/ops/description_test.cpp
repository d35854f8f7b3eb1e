// What operations say about themselves: shapes, parameters, counts, what they absorb, and what they refuse in which
// words.

#include <gtest/gtest.h>

#include "host/ops/ops.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

Shape shape_of(const Operation& op, std::vector<Shape> src) { return op.infer_shape(src); }

/// The reason for which the call is refused; empty when it is not.
template <class Call>
std::string reason(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Description, ConvolutionShapesAreKeras) {
  const auto dst = [](Conv2dOptions o, Shape src) { return shape_of(Conv2d(o), {src}); };
  EXPECT_EQ(dst({.filters = 32}, {1, 224, 224, 3}), (Shape{1, 224, 224, 32}));
  EXPECT_EQ(dst({.filters = 32, .stride = 2}, {1, 224, 224, 3}), (Shape{1, 112, 112, 32}));
  EXPECT_EQ(dst({.filters = 32, .stride = 2}, {1, 225, 225, 3}), (Shape{1, 113, 113, 32}));
  EXPECT_EQ(dst({.filters = 32, .padding = Padding::kValid}, {1, 224, 224, 3}), (Shape{1, 222, 222, 32}));
  EXPECT_EQ(dst({.filters = 4, .kernel = {1, 5}, .stride = {2, 3}, .padding = Padding::kValid}, {2, 9, 9, 3}),
            (Shape{2, 5, 2, 4}));
}

TEST(Description, SamePaddingPutsTheOddZeroBehind) {
  EXPECT_EQ(Conv2d({.filters = 1, .stride = 2}).problem({1, 8, 9, 1}).pad, (Padding2d{0, 1, 1, 1}));
  EXPECT_EQ(Conv2d({.filters = 1, .kernel = 4}).problem({1, 8, 8, 1}).pad, (Padding2d{1, 1, 2, 2}));
  EXPECT_EQ(Conv2d({.filters = 1, .kernel = 1, .stride = 2}).problem({1, 8, 8, 1}).pad, (Padding2d{0, 0, 0, 0}));
}

TEST(Description, PoolDropsTheRaggedEdge) {
  EXPECT_EQ(shape_of(MaxPool2d({}), {{1, 7, 6, 3}}), (Shape{1, 3, 3, 3}));
  EXPECT_EQ(shape_of(MaxPool2d({.window = 3, .stride = 2}), {{1, 8, 7, 3}}), (Shape{1, 3, 3, 3}));
  EXPECT_EQ(shape_of(GlobalAveragePool2d(), {{2, 7, 7, 5}}), (Shape{2, 5}));
  EXPECT_EQ(shape_of(Flatten(), {{2, 7, 7, 5}}), (Shape{2, 245}));
}

TEST(Description, FansAreKeras) {
  const std::vector<Shape> src = {{1, 8, 8, 24}};
  const auto plain = Conv2d({.filters = 10, .kernel = {3, 5}}).parameters(src);
  EXPECT_EQ(plain[0].shape, (Shape{10, 3, 5, 24}));
  EXPECT_EQ(plain[0].fan_in, 3 * 5 * 24);
  EXPECT_EQ(plain[0].fan_out, 3 * 5 * 10);
  const auto grouped = Conv2d({.filters = 12, .groups = 4}).parameters(src);
  EXPECT_EQ(grouped[0].shape, (Shape{12, 3, 3, 6}));
  EXPECT_EQ(grouped[0].fan_in, 9 * 6);
  EXPECT_EQ(grouped[0].fan_out, 9 * 12);
  const auto depthwise = Conv2d({.filters = 48, .groups = 24}).parameters(src);
  EXPECT_EQ(depthwise[0].shape, (Shape{48, 3, 3, 1}));
  EXPECT_EQ(depthwise[0].fan_in, 9 * 24);
  EXPECT_EQ(depthwise[0].fan_out, 9 * 2);
  const std::vector<Shape> rows = {{4, 100}};
  const auto dense = Dense(53).parameters(rows);
  EXPECT_EQ(dense[0].shape, (Shape{53, 100}));
  EXPECT_EQ(dense[0].fan_in, 100);
  EXPECT_EQ(dense[0].fan_out, 53);
}

TEST(Description, OnlyWeightsDecayAndStatisticsAreNotTrained) {
  const std::vector<Shape> src = {{1, 8, 8, 3}};
  for (const auto& spec : Conv2d({.filters = 4}).parameters(src))
    EXPECT_EQ(spec.decays, spec.name == "weights") << spec.name;
  for (const auto& spec : BatchNorm().parameters(src)) {
    EXPECT_FALSE(spec.decays) << spec.name;
    EXPECT_EQ(spec.trainable, spec.name == "gamma" || spec.name == "beta") << spec.name;
  }
  EXPECT_EQ(Conv2d({.filters = 4, .bias = false}).parameters(src).size(), 1u);
}

TEST(Description, FlopsCountAMultiplyAddAsTwo) {
  const std::vector<Shape> picture = {{2, 8, 8, 3}}, rows = {{2, 10}};
  EXPECT_EQ(Conv2d({.filters = 4}).flops(picture), 2.0 * (2 * 8 * 8 * 4) * (9 * 3));
  EXPECT_EQ(Conv2d({.filters = 3, .groups = 3}).flops(picture), 2.0 * (2 * 8 * 8 * 3) * 9);
  EXPECT_EQ(Dense(5).flops(rows), 2.0 * 2 * 10 * 5);
}

TEST(Description, ConvolutionAbsorbsAnActivationAndThenAPool) {
  const Shape dst{1, 8, 8, 4};
  const Conv2d conv({.filters = 4});
  const auto with_relu = conv.fuse(ActivationLayer(Activation::kRelu), dst);
  ASSERT_TRUE(with_relu);
  EXPECT_FALSE(with_relu->fuse(ActivationLayer(Activation::kRelu), dst)) << "one activation only";
  const auto with_pool = with_relu->fuse(MaxPool2d({}), dst);
  ASSERT_TRUE(with_pool);
  EXPECT_EQ(shape_of(*with_pool, {{1, 8, 8, 3}}), (Shape{1, 4, 4, 4}));
  EXPECT_FALSE(with_pool->fuse(MaxPool2d({}), dst)) << "one pool only";
  EXPECT_FALSE(with_pool->fuse(ActivationLayer(Activation::kRelu), dst));
  EXPECT_FALSE(conv.fuse(Flatten(), dst));
}

TEST(Description, DenseAndBatchNormAbsorbOneActivation) {
  const auto dense = Dense(5).fuse(ActivationLayer(Activation::kRelu6), {1, 5});
  ASSERT_TRUE(dense);
  EXPECT_EQ(dynamic_cast<const Dense&>(*dense).activation, Activation::kRelu6);
  EXPECT_FALSE(dense->fuse(ActivationLayer(Activation::kRelu), {1, 5}));
  const auto norm = BatchNorm(0.5f, 0.25f).fuse(ActivationLayer(Activation::kRelu), {1, 5});
  ASSERT_TRUE(norm);
  EXPECT_EQ(dynamic_cast<const BatchNorm&>(*norm).momentum, 0.5f);
  EXPECT_EQ(dynamic_cast<const BatchNorm&>(*norm).epsilon, 0.25f);
}

TEST(Description, RefusesInWords) {
  const auto infer = [](const Operation& op, std::vector<Shape> src) { return reason([&] { op.infer_shape(src); }); };
  EXPECT_EQ(infer(Conv2d({.filters = 4}), {{1, 10}}), "expected pictures (N, H, W, C), got (1, 10)");
  EXPECT_EQ(infer(Conv2d({.filters = 4, .groups = 2}), {{1, 8, 8, 3}}), "2 groups don't divide 3 channels");
  EXPECT_EQ(infer(Conv2d({.filters = 4, .kernel = 5, .padding = Padding::kValid}), {{1, 4, 8, 3}}),
            "the kernel of 5 x 5 is larger than the picture of 4 x 8");
  EXPECT_EQ(infer(MaxPool2d({}), {{1, 1, 8, 3}}), "the window of 2 x 2 is larger than the picture of 1 x 8");
  EXPECT_EQ(infer(Dense(3), {{1, 8, 8, 3}}), "expected vectors (N, features), got (1, 8, 8, 3): flatten or pool first");
  EXPECT_EQ(infer(Add(), {{1, 8}, {1, 9}}), "can't add (1, 8) and (1, 9): shapes differ");
  EXPECT_EQ(infer(Add(), {{1, 8}}), "takes 2 inputs, got 1");
  EXPECT_EQ(infer(Softmax(), {{1, 8}, {1, 8}}), "takes 1 input, got 2");
  EXPECT_EQ(reason([] { Conv2d({.filters = 5, .groups = 2}); }), "2 groups don't divide 5 filters");
  EXPECT_EQ(reason([] { Conv2d({.filters = 0}); }), "filters must be positive, got 0");
  EXPECT_EQ(reason([] { Dense(0); }), "units must be positive, got 0");
  EXPECT_EQ(reason([] { Dropout(1.0f); }), "the dropout rate must be at least 0 and below 1, got 1");
}

TEST(Description, TheLastImplementationSaysYesToEveryType) {
  const Conv2d conv({.filters = 4, .activation = Activation::kRelu6}, Pool2dOptions{.window = 3, .stride = 1});
  for (const DType src : {DType::kF32, DType::kBf16}) {
    for (const DType dst : {DType::kF32, DType::kBf16}) {
      const Problem problem{.src = {{{1, 9, 9, 3}, src}}, .dst = {{1, 7, 7, 4}, dst}};
      const auto& last = conv.implementations(DeviceKind::kCpu).back();
      EXPECT_EQ(last.family, "reference");
      EXPECT_TRUE(last.supports(conv, problem));
    }
  }
}

}  // namespace
}  // namespace cudacards
