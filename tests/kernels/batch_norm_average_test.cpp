// The running statistics from somebody else's mean and rstd: those of batch_norm_training(), and exact where the
// numbers allow it.

#include <gmock/gmock.h>

#include <cmath>

#include "tests/kernels/support/batch_norm_case.h"

namespace cudacards::testing::batch_norm {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

struct Running {
  std::vector<float> mean, variance;
  bool operator==(const Running&) const = default;
};

Running average(const BatchNormProblem& p, const Running& before, const std::vector<float>& mean,
                const std::vector<float>& rstd) {
  DeviceArray<float> batch_mean(mean, "mean"), batch_rstd(rstd, "rstd"), running_mean(before.mean, "running_mean"),
      running_variance(before.variance, "running_variance");
  CUDACARDS_EXPECT_RUNS(batch_norm_average(p,
                                           {.mean = batch_mean.data(),
                                            .rstd = batch_rstd.data(),
                                            .running_mean = running_mean.data(),
                                            .running_variance = running_variance.data()},
                                           nullptr));
  return {running_mean.read(), running_variance.read()};
}

class BatchNormAverage : public KernelTest, public ::testing::WithParamInterface<int> {};

// One channel, a block and a channel less or more, several blocks.
INSTANTIATE_TEST_SUITE_P(Channels, BatchNormAverage, ::testing::Values(1, 53, 127, 128, 129, 1280));

TEST_P(BatchNormAverage, IsThatOfTraining) {
  const BatchNormProblem p = {.rows = 40, .channels = GetParam(), .epsilon = 1e-3f, .momentum = 0.9f};
  const auto in = Input<float>::random(p);
  const auto trained = train<float>(p, in);
  Running averaged;
  in_every_order([&] {
    averaged = average(p, {in.mean, in.variance}, trained.mean, trained.rstd);
    return std::pair(averaged.mean, averaged.variance);
  });
  Bounded mean, variance;
  mean.terms = 2;      // a GPU may fuse either product with the sum
  variance.terms = 4;  // roundings: rstd, its square, the quotient, the difference
  const double share = 1 - static_cast<double>(p.momentum);
  for (std::size_t c = 0; c < in.mean.size(); ++c) {
    const auto rstd = static_cast<double>(trained.rstd[c]);
    mean.value.push_back(static_cast<double>(trained.running_mean[c]));
    mean.magnitude.push_back(std::abs(static_cast<double>(in.mean[c])) +
                             share * std::abs(static_cast<double>(trained.mean[c])));
    variance.value.push_back(static_cast<double>(trained.running_variance[c]));
    variance.magnitude.push_back(static_cast<double>(trained.running_variance[c]) + share * 2 / (rstd * rstd));
  }
  EXPECT_TRUE(within_bound(averaged.mean, mean, DType::kF32, 1));
  EXPECT_TRUE(within_bound(averaged.variance, variance, DType::kF32, 2));
}

TEST_P(BatchNormAverage, IsExactOnPowersOfTwo) {
  const BatchNormProblem p = {.rows = 2, .channels = GetParam(), .epsilon = 0.25f, .momentum = 0.75f};
  const auto channels = static_cast<std::size_t>(p.channels);
  const std::vector<float> mean = random_integers<float>(p.channels, -8, 8, 81);
  std::vector<float> rstd = random_integers<float>(p.channels, 0, 1, 82);
  for (float& r : rstd) r = r == 0.0f ? 0.5f : 1.0f;  // variance 3.75 or 0.75
  const Running before = {random_integers<float>(p.channels, -8, 8, 83), random_integers<float>(p.channels, 1, 8, 84)};
  const Running after = average(p, before, mean, rstd);
  for (std::size_t c = 0; c < channels; ++c) {
    EXPECT_EQ(after.mean[c], 0.75f * before.mean[c] + 0.25f * mean[c]);
    EXPECT_EQ(after.variance[c], 0.75f * before.variance[c] + 0.25f * (rstd[c] == 0.5f ? 3.75f : 0.75f));
  }
}

// A constant channel's rstd may be rounded to more than 1 / sqrt(epsilon).
TEST_P(BatchNormAverage, OfAConstantChannelIsNeverNegative) {
  const BatchNormProblem p = {.rows = 9, .channels = GetParam(), .epsilon = 0.25f, .momentum = 0.5f};
  const std::vector<float> zeros(static_cast<std::size_t>(p.channels)), rstd(zeros.size(), 2.0000005f);
  EXPECT_THAT(average(p, {zeros, zeros}, zeros, rstd).variance, Each(0.0f));
}

TEST(BatchNormAverageLauncher, SaysNoWithTheReason) {
  EXPECT_THAT(batch_norm_average({.channels = 0}, {}, nullptr).reason(), HasSubstr("batch_norm_average: channels"));
}

class BatchNormAverageTraffic : public KernelTest {};

TEST_F(BatchNormAverageTraffic, IsWhatTheBytesNeed) {
  const std::vector<float> ones(256, 1.0f);
  expect_traffic("batch_norm_average_kernel", {}, [&] { average({.channels = 256}, {ones, ones}, ones, ones); });
}

}  // namespace
}  // namespace cudacards::testing::batch_norm
