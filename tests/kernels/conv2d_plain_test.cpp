// The plain convolution takes every problem, and on small integers is exact: forward and both gradients, set and added.

#include "kernels/conv2d/plain.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/kernels/support/conv2d.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

/// What only this kernel takes, behind the problems of all convolutions.
std::vector<Conv2dCase> plain_cases() {
  std::vector<Conv2dCase> cases = conv2d_cases();
  std::erase_if(cases, [](const Conv2dCase& c) { return c.problem.flops() > 400'000; });
  const std::vector<Conv2dCase> others = {
      {"two_groups", {.n = 2, .h = 5, .w = 4, .c = 6, .k = 4, .r = 3, .s = 3, .pad = {1, 1, 1, 1}, .groups = 2}},
      {"depthwise", {.n = 1, .h = 6, .w = 5, .c = 7, .k = 7, .r = 3, .s = 3, .pad = {1, 1, 1, 1}, .groups = 7}},
      {"multiplier", {.n = 2, .h = 4, .w = 4, .c = 3, .k = 9, .r = 2, .s = 2, .groups = 3}},
      {"stride_3", {.n = 2, .h = 11, .w = 10, .c = 3, .k = 4, .r = 2, .s = 3, .stride_h = 3, .stride_w = 3}},
      {"nine", {.n = 1, .h = 9, .w = 10, .c = 2, .k = 3, .r = 9, .s = 9, .pad = {4, 4, 4, 4}}},
  };
  cases.insert(cases.end(), others.begin(), others.end());
  return cases;
}

struct Inputs {
  Doubles src, weights, bias, diff_dst;
};
Inputs inputs_of(const Conv2dProblem& p) {
  return {integers(1, p.src_elements()), integers(2, p.weight_elements()), integers(3, p.k),
          integers(4, p.dst_elements())};
}

TEST(Conv2dPlainSupports, SaysNoWithTheReason) {
  const Conv2dProblem one = {};
  const auto reason = [&](auto change) {
    Conv2dProblem p = one;
    change(p);
    return conv2d_plain_supports(p).reason();
  };
  EXPECT_TRUE(conv2d_plain_supports(one));
  for (const Conv2dCase& c : plain_cases()) EXPECT_TRUE(conv2d_plain_supports(c.problem)) << c.name;
  EXPECT_THAT(reason([](auto& p) { p.n = 0; }), HasSubstr("sizes must be 1 or more"));
  EXPECT_THAT(reason([](auto& p) { p.stride_w = 0; }), HasSubstr("sizes must be 1 or more"));
  EXPECT_THAT(reason([](auto& p) { p.groups = 2; }), HasSubstr("groups"));
  EXPECT_THAT(reason([](auto& p) { p.pad.left = -1; }), HasSubstr("padding"));
  EXPECT_THAT(reason([](auto& p) { p.r = 2; }), HasSubstr("larger than the padded picture"));
  EXPECT_THAT(reason([](auto& p) { p.n = 1 << 30, p.h = 1 << 20; }), HasSubstr("2^31 - 1 blocks"));
}

TEST(Conv2dPlainLauncher, RefusesWhatIsMissingAndStartsNothingForIgnoredGradients) {
  float memory = 0;
  EXPECT_THAT(conv2d_plain_forward({}, {.src = &memory, .weights = &memory}, nullptr).reason(), HasSubstr("missing"));
  EXPECT_THAT(conv2d_plain_backward_data({}, {.diff_dst = &memory}, nullptr).reason(), HasSubstr("missing"));
  EXPECT_THAT(conv2d_plain_backward_weights({}, {.src = &memory}, nullptr).reason(), HasSubstr("missing"));
  EXPECT_TRUE(conv2d_plain_backward_data({}, {.mode = GradMode::kIgnore}, nullptr));
  EXPECT_TRUE(conv2d_plain_backward_weights({}, {.mode = GradMode::kIgnore}, nullptr));
}

class Conv2dPlain : public KernelTest, public ::testing::WithParamInterface<Conv2dCase> {};

TEST_P(Conv2dPlain, ForwardIsExactOnIntegers) {
  const Conv2dProblem p = GetParam().problem;
  const Inputs in = inputs_of(p);
  for (const bool has_bias : {true, false}) {
    const Activation activation = has_bias ? Activation::kRelu6 : Activation::kNone;
    Doubles expected(static_cast<std::size_t>(p.dst_elements()));
    reference::conv2d_forward(p, in.src.data(), in.weights.data(), has_bias ? in.bias.data() : nullptr, activation,
                              expected.data());
    const std::vector<float> dst = in_every_order([&] {
      DeviceArray src(stored<float>(in.src), "src"), weights(stored<float>(in.weights), "weights"),
          bias(stored<float>(in.bias), "bias");
      DeviceArray<float> result(expected.size(), "dst");
      CUDACARDS_EXPECT_RUNS(conv2d_plain_forward(p,
                                                 {.src = src.data(),
                                                  .weights = weights.data(),
                                                  .bias = has_bias ? bias.data() : nullptr,
                                                  .dst = result.data(),
                                                  .activation = activation},
                                                 nullptr));
      return result.read();
    });
    EXPECT_TRUE(exact(dst, expected, DType::kF32));
  }
}

TEST_P(Conv2dPlain, GradientsAreExactOnIntegers) {
  const Conv2dProblem p = GetParam().problem;
  const Inputs in = inputs_of(p);
  for (const GradMode mode : {GradMode::kOverwrite, GradMode::kAccumulate}) {
    Doubles diff_src(in.src.size(), 5), diff_weights(in.weights.size(), 5), diff_bias(in.bias.size(), 5);
    reference::conv2d_backward_data(p, in.diff_dst.data(), in.weights.data(), mode, diff_src.data());
    reference::conv2d_backward_weights(p, in.src.data(), in.diff_dst.data(), mode, diff_weights.data());
    if (mode == GradMode::kOverwrite) std::ranges::fill(diff_bias, 0);
    for (std::size_t i = 0; i < in.diff_dst.size(); ++i) diff_bias[i % diff_bias.size()] += in.diff_dst[i];
    const auto gradients = in_every_order([&] {
      const auto before = [&](std::size_t count, const char* name) {
        return mode == GradMode::kAccumulate ? DeviceArray<float>(std::vector<float>(count, 5), name)
                                             : DeviceArray<float>(count, name);
      };
      DeviceArray src(stored<float>(in.src), "src"), weights(stored<float>(in.weights), "weights"),
          diff_dst(stored<float>(in.diff_dst), "diff_dst");
      DeviceArray<float> data = before(in.src.size(), "diff_src"), wgrad = before(in.weights.size(), "diff_weights"),
                         bgrad = before(in.bias.size(), "diff_bias");
      CUDACARDS_EXPECT_RUNS(conv2d_plain_backward_data(
          p, {.diff_dst = diff_dst.data(), .weights = weights.data(), .diff_src = data.data(), .mode = mode}, nullptr));
      CUDACARDS_EXPECT_RUNS(conv2d_plain_backward_weights(p,
                                                          {.src = src.data(),
                                                           .diff_dst = diff_dst.data(),
                                                           .diff_weights = wgrad.data(),
                                                           .diff_bias = bgrad.data(),
                                                           .mode = mode},
                                                          nullptr));
      DeviceArray<float> without_bias = before(in.weights.size(), "diff_weights");
      CUDACARDS_EXPECT_RUNS(conv2d_plain_backward_weights(
          p, {.src = src.data(), .diff_dst = diff_dst.data(), .diff_weights = without_bias.data(), .mode = mode},
          nullptr));
      EXPECT_EQ(without_bias.read(), wgrad.read());
      return std::vector{data.read(), wgrad.read(), bgrad.read()};
    });
    EXPECT_TRUE(exact(gradients[0], diff_src, DType::kF32)) << "diff_src";
    EXPECT_TRUE(exact(gradients[1], diff_weights, DType::kF32)) << "diff_weights";
    EXPECT_TRUE(exact(gradients[2], diff_bias, DType::kF32)) << "diff_bias";
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Conv2dPlain, ::testing::ValuesIn(plain_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cudacards::testing
