// The optimizers against steps computed apart from this code, against the reference in double, and against each other's
// edges.

#include "host/ops/optimizer.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "host/ops/reference/optimizer.h"
#include "host/train/words.h"
#include "kernels/base/philox.h"
#include "tests/support/scoped_threads.h"

namespace cudacards {
namespace {

using testing::ScopedThreads;

constexpr OptimizerKind kKinds[] = {OptimizerKind::kSgd, OptimizerKind::kAdam, OptimizerKind::kAdamW};

struct Buffers {
  std::vector<float> w, g, m, v;
  explicit Buffers(std::size_t count) : w(count), g(count), m(count), v(count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      w[i] = 2 * uniform01(philox4x32_10(3, 0, i, 0, 0, 0).v[0]) - 1;
      g[i] = 2 * uniform01(philox4x32_10(3, 1, i, 0, 0, 0).v[0]) - 1;
    }
  }
  void step(const OptimizerOptions& o, std::vector<OptimizerSegment> segments, float rate, std::uint64_t number) {
    optimizer_step(o, segments, rate, number, w, g, m, v);
  }
};

struct HandChecked {
  OptimizerKind kind;
  std::array<double, 10> weight;  // after each step
};

class TenSteps : public ::testing::TestWithParam<HandChecked> {};

// w = 1, rate 0.01, weight decay 0.1; the numbers come from the papers' formulas in a few lines of another language.
TEST_P(TenSteps, FollowThePaper) {
  constexpr float kGradients[] = {0.1f, -0.2f, 0.3f, -0.4f, 0.5f, 0.5f, 0.5f, -0.01f, 0.0f, 1.0f};
  Buffers one(1);
  one.w[0] = 1;
  for (std::size_t t = 0; t < 10; ++t) {
    one.g[0] = kGradients[t];
    one.step({.kind = GetParam().kind, .weight_decay = 0.1f}, {{0, 1, true}}, 0.01f, t);
    EXPECT_NEAR(static_cast<double>(one.w[0]), GetParam().weight[t], 1e-6) << "step " << t;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, TenSteps,
    ::testing::Values(HandChecked{OptimizerKind::kAdam,
                                  {0.9900003162, 0.9936612997, 0.9902289179, 0.9925543094, 0.9903260251, 0.9858134778,
                                   0.9799015508, 0.9747385256, 0.9701551224, 0.9638434994}},
                      HandChecked{OptimizerKind::kAdamW,
                                  {0.9890003162, 0.9916722994, 0.9872482453, 0.9885863885, 0.9853695178, 0.9798716011,
                                   0.9729798024, 0.9668437974, 0.9612935505, 0.9540206338}},
                      HandChecked{OptimizerKind::kSgd,
                                  {0.9980000000, 0.9972020000, 0.9924865980, 0.9912502496, 0.9841462858, 0.9717685721,
                                   0.9546568612, 0.9384016645, 0.9228335858, 0.8978994814}}),
    [](const auto& info) { return word_of(info.param.kind); });

class EveryOptimizer : public ::testing::TestWithParam<OptimizerKind> {};

TEST_P(EveryOptimizer, StaysWithTheReferenceInDoubleForFiftySteps) {
  constexpr std::size_t kCount = 10007;
  const OptimizerOptions options{.kind = GetParam(), .weight_decay = 0.01f};
  const std::vector<OptimizerSegment> segments = {{0, 4001, true}, {4001, 10000, false, 0.25f}};
  Buffers actual(kCount);
  std::vector<double> w(actual.w.begin(), actual.w.end()), m(kCount), v(kCount), g(kCount);
  for (std::uint64_t t = 0; t < 50; ++t) {
    for (std::uint32_t i = 0; i < kCount; ++i) {
      actual.g[i] = uniform01(philox4x32_10(4, static_cast<std::uint32_t>(t), i, 0, 0, 0).v[0]) - 0.3f;
      g[i] = static_cast<double>(actual.g[i]);
    }
    actual.step(options, segments, 1e-2f, t);
    reference::optimizer_step<double>(options, segments, static_cast<double>(1e-2f), t, g, {w, m, v});
  }
  for (std::size_t i = 0; i < kCount; ++i) ASSERT_NEAR(static_cast<double>(actual.w[i]), w[i], 1e-5) << i;
}

TEST_P(EveryOptimizer, TouchesNothingOutsideTheSegments) {
  Buffers b(300);
  const Buffers before = b;
  b.step({.kind = GetParam(), .weight_decay = 0.1f}, {{10, 20, true}, {150, 290, false}}, 0.1f, 0);
  for (std::size_t i = 0; i < 300; ++i) {
    const bool inside = (i >= 10 && i < 20) || (i >= 150 && i < 290);
    ASSERT_EQ(b.w[i] != before.w[i], inside) << i;
    ASSERT_EQ(b.m[i] != 0, inside) << i;
  }
}

TEST_P(EveryOptimizer, GivesTheSameBytesForEveryThreadCount) {
  std::vector<std::vector<float>> weights;
  for (const int count : {1, 2, 3}) {
    const ScopedThreads scoped(count);
    Buffers b(100003);
    for (std::uint64_t t = 0; t < 3; ++t)
      b.step({.kind = GetParam(), .weight_decay = 0.1f}, {{3, 100003, true}}, 0.1f, t);
    weights.push_back(b.w);
  }
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_EQ(weights[0], weights[2]);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, EveryOptimizer, ::testing::ValuesIn(kKinds),
                         [](const auto& info) { return word_of(info.param); });

TEST(Optimizer, AdamLeavesWeightDecayToAdamW) {
  Buffers plain(10), decayed(10);
  plain.step({.kind = OptimizerKind::kAdam}, {{0, 10, true}}, 0.1f, 0);
  decayed.step({.kind = OptimizerKind::kAdam, .weight_decay = 0.5f}, {{0, 10, true}}, 0.1f, 0);
  EXPECT_EQ(plain.w, decayed.w);
}

TEST(Optimizer, AverageFollowsTheUpdatedParameters) {
  Buffers b(10000);
  std::vector<float> average(10000, 0.5f);
  const std::vector<OptimizerSegment> all = {{0, 10000}};
  optimizer_step({}, all, 0.1f, 0, b.w, b.g, b.m, b.v, average, 0.75f);
  for (std::size_t i = 0; i < b.w.size(); ++i) ASSERT_EQ(average[i], 0.75f * 0.5f + 0.25f * b.w[i]) << i;
}

// (1 + t) / (10 + t) until it passes the decay; the first step is t = 1.
TEST(Optimizer, AverageFollowsFasterAtTheBeginning) {
  EXPECT_EQ(average_decay_at(0.998f, 0), 2.0f / 11.0f);
  EXPECT_EQ(average_decay_at(0.998f, 8), 0.526315789f);
  EXPECT_LT(average_decay_at(0.998f, 4488), 0.998f);
  EXPECT_EQ(average_decay_at(0.998f, 4490), 0.998f);
  EXPECT_EQ(average_decay_at(0.1f, 0), 0.1f) << "a smaller decay is never raised";
  EXPECT_EQ(average_decay_at(0.0f, 0), 0.0f);
}

TEST_P(EveryOptimizer, AtRateZeroLeavesParametersAloneAndAveragesThem) {
  Buffers b(10000);
  std::fill(b.g.begin(), b.g.end(), 0.0f);
  const std::vector<float> before = b.w;
  std::vector<float> average(10000, 0.5f);
  const std::vector<OptimizerSegment> all = {{0, 10000, false, 0.0f}};
  optimizer_step({.kind = GetParam(), .weight_decay = 0.1f}, all, 0.1f, 3, b.w, b.g, b.m, b.v, average, 0.75f);
  EXPECT_EQ(b.w, before);
  for (std::size_t i = 0; i < b.w.size(); ++i) ASSERT_EQ(average[i], 0.75f * 0.5f + 0.25f * b.w[i]) << i;
}

}  // namespace
}  // namespace cudacards
