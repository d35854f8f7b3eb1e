// The reference loops against answers worked out by hand: the double reference of the other tests is made of the same
// loops.

#include <gtest/gtest.h>

#include <vector>

#include "host/ops/reference/batch_norm.h"
#include "host/ops/reference/conv2d.h"
#include "host/ops/reference/dense.h"
#include "host/ops/reference/pool.h"
#include "host/ops/reference/softmax.h"

namespace cudacards {
namespace {

using Vector = std::vector<double>;

TEST(KnownAnswer, ConvolutionIsACrossCorrelationWithZerosAround) {
  const Conv2dProblem p{.h = 2, .w = 3, .c = 1, .k = 1, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  const Vector src = {1, 2, 3, 4, 5, 6}, weights = {1, 2, 3, 4, 5, 6, 7, 8, 9}, bias = {10};
  Vector dst(6);
  reference::conv2d_forward(p, src.data(), weights.data(), bias.data(), Activation::kNone, dst.data());
  // dst[0][0] = 1*5 + 2*6 + 4*8 + 5*9 + 10; the tap above and left of the centre meets the padding.
  EXPECT_EQ(dst, (Vector{104, 164, 116, 68, 101, 68}));
}

TEST(KnownAnswer, ConvolutionStridesAndKeepsGroupsApart) {
  // Two groups of one channel: the first is passed on, the second is doubled; every second pixel of four.
  const Conv2dProblem p{.h = 1, .w = 4, .c = 2, .k = 2, .stride_w = 2, .groups = 2};
  const Vector src = {1, 10, 2, 20, 3, 30, 4, 40}, weights = {1, 2};
  Vector dst(4);
  reference::conv2d_forward<double, double>(p, src.data(), weights.data(), nullptr, Activation::kNone, dst.data());
  EXPECT_EQ(dst, (Vector{1, 20, 3, 60}));
}

TEST(KnownAnswer, DenseTakesOneRowOfWeightsAUnit) {
  const Vector src = {1, 2, 3}, weights = {1, 0, 0, 1, 1, 1, -1, -1, -1}, bias = {0.5, 0, 1};
  Vector dst(3);
  reference::dense_forward({.n = 1, .in = 3, .units = 3}, src.data(), weights.data(), bias.data(), Activation::kRelu,
                           dst.data());
  EXPECT_EQ(dst, (Vector{1.5, 6, 0}));
}

TEST(KnownAnswer, MaxPoolGivesTheGradientToTheFirstOfEquals) {
  const Pool2dProblem p{.h = 2, .w = 4, .c = 1};
  const Vector src = {7, 7, 1, 2, 7, 0, 2, 2}, diff_dst = {5, 3};
  Vector dst(2), diff_src(8);
  std::vector<std::int32_t> argmax(2);
  reference::max_pool_forward(p, src.data(), dst.data(), argmax.data());
  reference::max_pool_backward(p, diff_dst.data(), argmax.data(), GradMode::kOverwrite, diff_src.data());
  EXPECT_EQ(dst, (Vector{7, 2}));
  EXPECT_EQ(diff_src, (Vector{5, 0, 0, 3, 0, 0, 0, 0}));
}

TEST(KnownAnswer, MaxPoolShowsANan) {
  const Pool2dProblem p{.h = 2, .w = 2, .c = 1};
  for (int where = 0; where < 4; ++where) {
    Vector src = {1, 2, 3, 4}, dst(1);
    src[static_cast<std::size_t>(where)] = std::nan("");
    reference::max_pool_forward(p, src.data(), dst.data(), nullptr);
    EXPECT_TRUE(std::isnan(dst[0])) << where;
  }
}

TEST(KnownAnswer, ActivationsClampAndShowANan) {
  EXPECT_EQ(apply(Activation::kRelu, -1.0f), 0.0f);
  EXPECT_EQ(apply(Activation::kRelu, 7.0f), 7.0f);
  EXPECT_EQ(apply(Activation::kRelu6, 7.0f), 6.0f);
  EXPECT_TRUE(std::isnan(apply(Activation::kRelu, std::nanf(""))));
  EXPECT_TRUE(std::isnan(apply(Activation::kRelu6, std::nanf(""))));
  for (const float clamped : {0.0f, 6.0f}) EXPECT_EQ(derivative_from_result(Activation::kRelu6, clamped), 0.0f);
  EXPECT_EQ(derivative_from_result(Activation::kRelu, 6.0f), 1.0f);
}

TEST(KnownAnswer, SoftmaxOfEqualScoresIsUniformHoweverLarge) {
  for (const double score : {0.0, 1e300, -1e300}) {
    const Vector src(4, score);
    Vector dst(4);
    reference::softmax_forward(1, 4, src.data(), dst.data());
    EXPECT_EQ(dst, Vector(4, 0.25));
  }
}

TEST(KnownAnswer, BatchStatisticsUseTheBiasedVariance) {
  const Vector src = {1, 10, 3, 10, 5, 10};  // three rows of two channels
  Vector mean(2), inverse(2), variance(2);
  reference::batch_statistics(3, 2, src.data(), 1.0, {mean.data(), inverse.data()}, variance.data());
  EXPECT_EQ(mean, (Vector{3, 10}));
  EXPECT_EQ(variance, (Vector{8.0 / 3, 0}));
  EXPECT_DOUBLE_EQ(inverse[0], 1 / std::sqrt(8.0 / 3 + 1));
  EXPECT_EQ(inverse[1], 1.0);
}

}  // namespace
}  // namespace cudacards
