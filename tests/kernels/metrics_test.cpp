// The epoch's sums: exact counts, and a loss whose bytes don't depend on the order of threads.

#include "kernels/metrics/metrics.h"

#include <gmock/gmock.h>

#include <numeric>

#include "kernels/softmax_loss/softmax_loss.h"
#include "tests/kernels/support/device.h"
#include "tests/kernels/support/norm_numbers.h"

namespace cudacards::testing {
namespace {

using ::testing::HasSubstr;

TEST(MetricsSupports, SaysNoWithTheReason) {
  const std::int64_t most = (std::int64_t{1} << 31) - 257;
  EXPECT_TRUE(accumulate_metrics_supports({.batch = most}));
  EXPECT_THAT(accumulate_metrics_supports({.batch = most + 1}).reason(), HasSubstr("rows"));
  EXPECT_THAT(accumulate_metrics_supports({.batch = -1}).reason(), HasSubstr("rows"));
  EXPECT_THAT(accumulate_metrics({.batch = -1}, {}, nullptr).reason(), HasSubstr("accumulate_metrics: rows"));
  EXPECT_TRUE(accumulate_metrics({.batch = 0}, {}, nullptr));
  EXPECT_EQ(MetricsProblem{.batch = 10}.bytes(), 80 + 64);
  const Metrics none;
  EXPECT_EQ(none.loss_sum, 0);
  EXPECT_EQ(none.rows + none.correct + none.correct_top5, 0);
}

/// metrics.cu's order: a thread every 256th row, then halves onto halves.
double sum_in_order(const std::vector<float>& losses) {
  std::vector<double> sums(256);
  for (std::size_t i = 0; i < losses.size(); ++i) sums[i % 256] += static_cast<double>(losses[i]);
  for (std::size_t half = 128; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  return sums[0];
}

struct Row {
  std::vector<float> loss;
  std::vector<std::int32_t> rank;
};

Row some_rows(int batch) {
  Row rows{random_numbers<float>(batch, 0, 9, 31), {}};
  const auto ranks = random_integers<float>(batch, 0, 11, 32);
  for (const float rank : ranks) rows.rank.push_back(rank > 10 ? kNoRank : static_cast<std::int32_t>(rank));
  return rows;
}

Metrics after(const Row& rows, const int* count, const Metrics& before) {
  DeviceArray<float> loss(rows.loss, "row_loss");
  DeviceArray<std::int32_t> rank(rows.rank, "label_rank"), device_count(std::vector{count ? *count : 0}, "rows");
  DeviceArray<Metrics> metrics(std::vector{before}, "metrics");
  CUDACARDS_EXPECT_RUNS(accumulate_metrics({.batch = static_cast<std::int64_t>(rows.loss.size())},
                                           {.row_loss = loss.data(),
                                            .label_rank = rank.data(),
                                            .rows = count ? device_count.data() : nullptr,
                                            .metrics = metrics.data()},
                                           nullptr));
  return metrics.read()[0];
}

class MetricsKernel : public KernelTest, public ::testing::WithParamInterface<int> {};

TEST_P(MetricsKernel, AddsTheRowsThatCount) {
  const Row rows = some_rows(GetParam());
  const Metrics before{.loss_sum = 0.1, .rows = 1000, .correct = 100, .correct_top5 = 500};
  const int half = GetParam() / 2, beyond = GetParam() + 5, negative = -3;
  for (const int* count : {static_cast<const int*>(nullptr), &half, &beyond, &negative}) {
    const int counted = count ? std::clamp(*count, 0, GetParam()) : GetParam();
    Metrics metrics;
    in_every_order([&] {
      metrics = after(rows, count, before);
      Bytes bytes(sizeof metrics);
      std::memcpy(bytes.data(), &metrics, sizeof metrics);
      return bytes;
    });
    const auto correct = std::count(rows.rank.begin(), rows.rank.begin() + counted, 0);
    const auto top5 = std::count_if(rows.rank.begin(), rows.rank.begin() + counted, [](int r) { return r < 5; });
    EXPECT_EQ(metrics.rows, 1000 + counted);
    EXPECT_EQ(metrics.correct, 100 + correct);
    EXPECT_EQ(metrics.correct_top5, 500 + top5);
    EXPECT_EQ(metrics.loss_sum, 0.1 + sum_in_order({rows.loss.begin(), rows.loss.begin() + counted}));
    EXPECT_NEAR(metrics.loss_sum, std::accumulate(rows.loss.begin(), rows.loss.begin() + counted, 0.1), 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(Batches, MetricsKernel, ::testing::Values(1, 2, 32, 127, 255, 256, 257, 1000));

class MetricsTraffic : public KernelTest {};

// Doubles are halved in shared memory: the last five steps use fewer lanes than a wavefront holds, which costs nothing.
TEST_F(MetricsTraffic, IsWhatTheBytesNeed) {
  expect_traffic("metrics_kernel", {}, [] { after(some_rows(512), nullptr, {}); });
}

TEST_F(MetricsTraffic, ANanShowsInTheLossOnly) {
  Row rows = some_rows(5);
  rows.loss[3] = NAN;
  rows.rank = {0, 1, 6, 4, 5};
  const Metrics metrics = after(rows, nullptr, {});
  EXPECT_TRUE(std::isnan(metrics.loss_sum));
  EXPECT_EQ(metrics.correct, 1);
  EXPECT_EQ(metrics.correct_top5, 3);
}

}  // namespace
}  // namespace cudacards::testing
