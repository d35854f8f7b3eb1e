// Which runs of the parameter buffer an optimizer moves, and how.

#include "host/graph/parameters.h"

#include <gtest/gtest.h>

namespace cudacards {
namespace {

/// Eight channels everywhere: a parameter of one number a channel fills half a cache line.
Graph small_graph() {
  Graph g;
  Node x = g.input({4, 4, 8});
  x = g.conv2d(x, {.filters = 8, .kernel = 1, .bias = false});
  x = g.batch_norm(x);
  x = g.dense(g.global_average_pool(x), 8);
  g.logits(x);
  return g;
}

const OptimizerSegment* segment_of(const std::vector<OptimizerSegment>& segments, const Parameter& p) {
  for (const OptimizerSegment& s : segments) {
    if (s.begin <= p.begin && p.end <= s.end) return &s;
  }
  return nullptr;
}

TEST(OptimizerSegments, AreWhatLearnsEachAtItsRate) {
  Graph g = small_graph();
  g.set_rate_scale("conv2d", 0.25f);
  g.set_trainable("dense", false);
  const Parameters parameters(g);
  const auto segments = parameters.segments();
  EXPECT_TRUE(segments_are_ordered(segments, parameters.size()));
  for (const Parameter& p : parameters.list()) {
    const OptimizerSegment* segment = segment_of(segments, p);
    ASSERT_EQ(segment != nullptr, p.trainable) << p.name;
    if (segment == nullptr) continue;
    EXPECT_EQ(segment->decays, p.spec.decays) << p.name;
    EXPECT_EQ(segment->rate_scale, p.name.starts_with("conv2d") ? 0.25f : 1.0f) << p.name;
  }
}

TEST(OptimizerSegments, WithAnAverageHoldMovingStatisticsAtRateZero) {
  for (const bool frozen : {false, true}) {
    Graph g = small_graph();
    g.set_trainable("batch_normalization", !frozen);
    const Parameters parameters(g);
    const auto segments = parameters.segments(MovingAverage::kKept);
    EXPECT_TRUE(segments_are_ordered(segments, parameters.size()));
    for (const char* leaf : {"mean", "variance"}) {
      const OptimizerSegment* segment =
          segment_of(segments, *parameters.find(std::string("batch_normalization/") + leaf));
      ASSERT_EQ(segment == nullptr, frozen) << leaf;
      EXPECT_EQ(segment != nullptr ? segment->rate_scale : 0.0f, 0.0f) << leaf;
    }
    EXPECT_EQ(segment_of(segments, *parameters.find("dense/bias"))->rate_scale, 1.0f);
  }
}

TEST(OptimizerSegments, OfOneKindAreOne) {
  Graph g = small_graph();
  const Parameters parameters(g);
  // conv weights | gamma, beta | dense weights | dense bias
  EXPECT_EQ(parameters.segments().size(), 4u);
  EXPECT_EQ(parameters.segments(MovingAverage::kKept).size(), 5u);
}

}  // namespace
}  // namespace cudacards
