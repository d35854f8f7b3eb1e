// What the tests of all implementations don't know about oneDNN's: its reference code is refused, results come in
// strips and through packed weights, and the fused pool treats equals and NaN as the unfused one does.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "host/ops/cpu/pool_rows.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/vendor/onednn.h"
#include "host/ops/vendor/onednn_common.h"
#include "tests/support/op_run.h"

namespace cudacards::testing {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

OpCase pooled_conv(const Shape& src, int filters, Activation activation = Activation::kRelu, Pool2dOptions pool = {}) {
  const Conv2dOptions options{.filters = filters, .kernel = 3, .activation = activation};
  return {.operation = std::make_shared<Conv2d>(options, pool), .src = {src}};
}

/// Weights (16,3,3,16) that copy each channel: the convolution's result is its source.
OpInputs copying_inputs(const OpCase& c, float value) {
  OpInputs inputs = integer_inputs(c);
  std::fill(inputs.src[0].begin(), inputs.src[0].end(), value);
  std::fill(inputs.parameters[0].begin(), inputs.parameters[0].end(), 0.0f);
  std::fill(inputs.parameters[1].begin(), inputs.parameters[1].end(), 0.0f);
  constexpr std::size_t kCentre = 4;
  for (std::size_t k = 0; k < 16; ++k) inputs.parameters[0][(k * 9 + kCentre) * 16 + k] = 1.0f;
  return inputs;
}

TEST(Onednn, RefusesItsOwnReference) {
  EXPECT_THROW(onednn::refuse_reference("ref:any"), onednn::Refused);
  EXPECT_THROW(onednn::refuse_reference("simple:ref"), onednn::Refused);
  EXPECT_NO_THROW(onednn::refuse_reference("brgconv:avx512_core"));
}

TEST(OnednnConv2dPool, GivesTheReferencesBytesAcrossStrips) {
  // 2 rows of windows are 112 KB of fp32 results: 40 rows of them make three strips.
  for (const DType type : {DType::kF32, DType::kBf16}) {
    OpCase c = pooled_conv({1, 80, 112, 16}, 64);
    c.type = c.dst_type = type;
    if (const Verdict v = kOnednnConv2dPool.supports(*c.operation, c.problem()); !v) GTEST_SKIP() << v.reason();
    const OpInputs inputs = integer_inputs(c);
    EXPECT_EQ(run(c, kReferenceConv2d, inputs), run(c, kOnednnConv2dPool, inputs)) << name_of(type);
  }
}

TEST(OnednnConv2dPool, GivesTheBytesOfConvolutionThenPoolForEveryActivation) {
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kRelu6}) {
    const OpCase c = pooled_conv({3, 11, 13, 32}, 48, activation);
    if (const Verdict v = kOnednnConv2dPool.supports(*c.operation, c.problem()); !v) GTEST_SKIP() << v.reason();
    const OpInputs inputs = integer_inputs(c);
    EXPECT_EQ(run(c, kOnednnConv2dThenPool, inputs), run(c, kOnednnConv2dPool, inputs)) << name_of(activation);
  }
}

TEST(OnednnConv2dPool, RefusesOtherWindowsAndSaysSo) {
  const OpCase c = pooled_conv({1, 9, 9, 16}, 16, Activation::kRelu, {.window = 3});
  const Verdict verdict = kOnednnConv2dPool.supports(*c.operation, c.problem());
  EXPECT_FALSE(verdict);
  EXPECT_EQ(verdict.reason(), "the pool is not 2 x 2 by steps of 2");
  EXPECT_TRUE(kOnednnConv2dThenPool.supports(*c.operation, c.problem()));
}

/// The fused pass, the two passes and the reference: all must agree on what is not arithmetic.
class PooledConvolutions : public ::testing::TestWithParam<const Implementation*> {
 protected:
  void SetUp() override {
    if (const Verdict v = GetParam()->supports(*case_.operation, case_.problem()); !v) GTEST_SKIP() << v.reason();
  }
  const OpCase case_ = pooled_conv({1, 4, 4, 16}, 16);
};

TEST_P(PooledConvolutions, GiveTheGradientToTheFirstOfEquals) {
  OpInputs inputs = copying_inputs(case_, 2.0f);
  std::fill(inputs.diff_dst.begin(), inputs.diff_dst.end(), 3.0f);
  const OpOutputs outputs = run(case_, *GetParam(), inputs);
  for (std::size_t h = 0; h < 4; ++h) {
    for (std::size_t w = 0; w < 4; ++w) {
      const bool first_of_window = h % 2 == 0 && w % 2 == 0;
      EXPECT_EQ(outputs.diff_src[0][(h * 4 + w) * 16], first_of_window ? 3.0f : 0.0f) << h << ", " << w;
    }
  }
}

TEST_P(PooledConvolutions, LetANaNThrough) {
  OpInputs inputs = copying_inputs(case_, 2.0f);
  inputs.src[0][0] = kInfinity;  // times the zeros beside the copying weight
  EXPECT_TRUE(std::isnan(run(case_, *GetParam(), inputs).dst[1]));
}

INSTANTIATE_TEST_SUITE_P(Onednn, PooledConvolutions,
                         ::testing::Values(&kOnednnConv2dPool, &kOnednnConv2dThenPool, &kReferenceConv2d),
                         [](const auto& info) {
                           std::string name(info.param->name);
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST(PoolRows, LetANaNWinFromEveryPlaceOfTheWindow) {
  constexpr int kFilters = 16;
  for (std::uint8_t place = 0; place < 4; ++place) {
    std::vector<float> conv(4 * kFilters, 1.0f), dst(kFilters);
    std::vector<std::uint8_t> winners(kFilters);
    conv[place * std::size_t{kFilters} + 5] = kNaN;
    cpu::pool_rows(conv.data(), 1, 2, kFilters, Activation::kNone, dst.data(), winners.data());
    EXPECT_TRUE(std::isnan(dst[5]));
    EXPECT_EQ(winners[5], place);
    EXPECT_EQ(dst[4], 1.0f);
    EXPECT_EQ(winners[4], 0);
  }
}

/// oneDNN's own post-operations would turn the NaN into 0.
TEST(Onednn, LetsANaNThroughTheActivation) {
  const OpCase cases[] = {
      {.operation = std::make_shared<Dense>(5, Activation::kRelu), .src = {{2, 7}}},
      {.operation =
           std::make_shared<Conv2d>(Conv2dOptions{.filters = 16, .kernel = 3, .activation = Activation::kRelu6}),
       .src = {{1, 4, 4, 16}}},
      {.operation = std::make_shared<BatchNorm>(0.99f, 1e-3f, Activation::kRelu), .src = {{2, 3, 3, 16}}},
  };
  const Implementation* const implementations[] = {&kOnednnDense, &kOnednnConv2d, &kOnednnBatchNorm};
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    OpInputs inputs = integer_inputs(cases[i]);
    for (float& weight : inputs.parameters[0]) weight = 0.0f;
    inputs.src[0][0] = kInfinity;
    const OpOutputs outputs = run(cases[i], *implementations[i], inputs);
    EXPECT_TRUE(std::any_of(outputs.dst.begin(), outputs.dst.end(), [](float x) { return std::isnan(x); })) << i;
  }
}

}  // namespace
}  // namespace cudacards::testing
