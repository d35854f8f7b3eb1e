// Loss, gradient and counts against the formula in double precision, and where a row is short, smooth, huge or broken.

#include "host/ops/softmax_loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "host/ops/reference/softmax_loss.h"
#include "kernels/base/philox.h"

namespace cudacards {
namespace {

constexpr std::int64_t kRows = 7, kClasses = 53;

struct Scores {
  std::vector<float> logits = std::vector<float>(kRows * kClasses);
  std::vector<std::int32_t> labels = std::vector<std::int32_t>(kRows);

  Scores() {
    for (std::uint32_t i = 0; i < logits.size(); ++i)
      logits[i] = 8 * uniform01(philox4x32_10(1, 2, i, 0, 0, 0).v[0]) - 4;
    for (std::uint32_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>((i * 29) % kClasses);
  }
  std::vector<double> in_double() const { return {logits.begin(), logits.end()}; }
};

/// The definition, term by term: -sum target * log softmax.
double loss_by_definition(const Scores& s, std::int64_t rows, double smoothing) {
  double loss = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* x = &s.logits[static_cast<std::size_t>(row * kClasses)];
    double sum = 0;
    for (int i = 0; i < kClasses; ++i) sum += std::exp(static_cast<double>(x[i]));
    for (int i = 0; i < kClasses; ++i) {
      const double target = smoothing / kClasses + (i == s.labels[static_cast<std::size_t>(row)] ? 1 - smoothing : 0);
      loss -= target * std::log(std::exp(static_cast<double>(x[i])) / sum);
    }
  }
  return loss;
}

TEST(SoftmaxLoss, IsTheDefinition) {
  const Scores s;
  for (const float smoothing : {0.0f, 0.1f, 1.0f}) {
    const auto result = softmax_loss(s.logits.data(), s.labels.data(), kRows, kRows, kClasses, smoothing, nullptr);
    EXPECT_NEAR(result.loss_sum, loss_by_definition(s, kRows, static_cast<double>(smoothing)), 1e-5);
  }
}

TEST(SoftmaxLoss, GradientAgreesWithCentralDifferences) {
  const Scores s;
  auto logits = s.in_double();
  const double smoothing = 0.1, epsilon = 1e-6;
  std::vector<double> diff(logits.size());
  reference::softmax_loss(logits.data(), s.labels.data(), kRows, kRows, kClasses, smoothing, diff.data());
  const auto mean_loss = [&] {
    return reference::softmax_loss<double>(logits.data(), s.labels.data(), kRows, kRows, kClasses, smoothing, nullptr)
               .loss_sum /
           kRows;
  };
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double kept = logits[i];
    logits[i] = kept + epsilon;
    const double above = mean_loss();
    logits[i] = kept - epsilon;
    const double slope = (above - mean_loss()) / (2 * epsilon);
    logits[i] = kept;
    ASSERT_NEAR(diff[i], slope, 1e-8) << i;
  }
}

TEST(SoftmaxLoss, GradientInFp32IsTheOneInDouble) {
  const Scores s;
  const auto logits = s.in_double();
  std::vector<float> diff(s.logits.size());
  std::vector<double> expected(s.logits.size());
  softmax_loss(s.logits.data(), s.labels.data(), kRows, kRows, kClasses, 0.1f, diff.data());
  reference::softmax_loss(logits.data(), s.labels.data(), kRows, kRows, kClasses, static_cast<double>(0.1f),
                          expected.data());
  for (std::size_t i = 0; i < diff.size(); ++i) ASSERT_NEAR(static_cast<double>(diff[i]), expected[i], 1e-7) << i;
}

TEST(SoftmaxLoss, RowsThatDontCountHaveNoLossNoHitsAndZeroGradient) {
  Scores s;
  for (std::size_t row = 4; row < kRows; ++row) s.labels[row] = -1;  // never looked at
  std::vector<float> diff(s.logits.size(), 9.0f);
  const auto result = softmax_loss(s.logits.data(), s.labels.data(), kRows, 4, kClasses, 0.1f, diff.data());
  EXPECT_EQ(result.rows, 4);
  EXPECT_NEAR(result.loss_sum, loss_by_definition(s, 4, static_cast<double>(0.1f)), 1e-5);
  for (std::size_t i = 4 * kClasses; i < diff.size(); ++i) ASSERT_EQ(diff[i], 0.0f);
  const double label_gradient = static_cast<double>(diff[static_cast<std::size_t>(s.labels[0])]);
  EXPECT_LT(label_gradient, -0.1) << "divided by the 4 rows that count";
  EXPECT_NEAR(std::accumulate(diff.begin(), diff.end(), 0.0), 0.0, 1e-6);
}

TEST(SoftmaxLoss, StaysFiniteForHugeScores) {
  for (const float huge : {1e30f, 3e38f}) {
    const std::vector<float> logits = {huge, -huge, 0, huge, 0, -huge};
    const std::vector<std::int32_t> labels = {0, 0};
    std::vector<float> diff(6);
    const auto result = softmax_loss(logits.data(), labels.data(), 2, 2, 3, 0.0f, diff.data());
    EXPECT_TRUE(std::isfinite(result.loss_sum));
    EXPECT_EQ(result.loss_sum, 0.0);
    for (const float d : diff) EXPECT_EQ(d, 0.0f);
  }
}

TEST(SoftmaxLoss, AMinusInfinityIsAClassThatCannotBe) {
  const std::vector<float> logits = {1, -INFINITY, 1};
  const std::int32_t label = 0;
  std::vector<float> diff(3);
  const auto result = softmax_loss(logits.data(), &label, 1, 1, 3, 0.0f, diff.data());
  EXPECT_DOUBLE_EQ(result.loss_sum, std::log(2.0));
  EXPECT_EQ(diff, (std::vector<float>{-0.5f, 0.0f, 0.5f}));
}

TEST(SoftmaxLoss, CountsTheFirstOfEqualsAndTheBestFive) {
  const std::vector<float> logits = {3, 3, 2, 2, 1, 1, 0};
  const auto hits = [&](std::int32_t label) { return softmax_loss(logits.data(), &label, 1, 1, 7, 0, nullptr); };
  EXPECT_EQ(hits(0).correct, 1);
  EXPECT_EQ(hits(1).correct, 0) << "equal, but not the first";
  EXPECT_EQ(hits(4).correct_top5, 1);
  EXPECT_EQ(hits(5).correct_top5, 0) << "equal to the fifth, but behind it";
}

TEST(SoftmaxLoss, ANanIsNeverCorrectAndShowsInTheLoss) {
  const std::vector<float> logits(kClasses, std::numeric_limits<float>::quiet_NaN());
  for (const std::int32_t label : {0, 5}) {
    const auto result = softmax_loss(logits.data(), &label, 1, 1, kClasses, 0.0f, nullptr);
    EXPECT_EQ(result.correct, 0);
    EXPECT_EQ(result.correct_top5, 0);
    EXPECT_TRUE(std::isnan(result.loss_sum));
  }
}

TEST(SoftmaxLoss, NamesTheWinnerOfEachRowThatCounts) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits = {1, 3, 3, 2, 2, 1, 0, kNan, 9, -INFINITY, -INFINITY, -INFINITY, 0, 0, 1};
  const std::vector<std::int32_t> labels = {2, 0, 2, 0, 2};
  std::vector<std::int32_t> winners(5, 77);
  const auto result = softmax_loss(logits.data(), labels.data(), 5, 4, 3, 0, nullptr, winners.data());
  EXPECT_EQ(winners, (std::vector<std::int32_t>{1, 0, -1, 0, 77})) << "the last row does not count";
  EXPECT_EQ(result.correct, 2);
  EXPECT_EQ(result.correct_top5, 3) << "a row with a NaN is never correct, however few classes there are";
}

TEST(SoftmaxRows, SumToOneInPlace) {
  Scores s;
  const std::vector<float> logits = s.logits;
  softmax_rows(s.logits.data(), kRows, kClasses, s.logits.data());
  for (std::size_t row = 0; row < kRows; ++row) {
    const auto first = s.logits.begin() + static_cast<std::ptrdiff_t>(row * kClasses);
    EXPECT_NEAR(std::accumulate(first, first + kClasses, 0.0), 1.0, 1e-6);
    EXPECT_NEAR(std::log(first[1] / first[0]), logits[row * kClasses + 1] - logits[row * kClasses], 1e-5);
  }
}

}  // namespace
}  // namespace cudacards
