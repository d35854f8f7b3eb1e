// Edges bear out a right outline and no other, and pull a rough one onto themselves.

#include "host/scene/outline.h"

#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <vector>

#include "host/scene/hypothesis.h"
#include "host/scene/regions.h"
#include "host/scene/segments.h"
#include "tests/scene/coloured_cards.h"

namespace cudacards {
namespace {

using testing_support::card_at;
using testing_support::Table;

const Quad kCard = card_at({200, 200}, 20);

Quad moved_by(const Quad& quad, const cv::Point2d& d) {
  Quad result = quad;
  for (cv::Point2d& p : result) p += d;
  return result;
}

class Outlines : public testing::Test {
 protected:
  Outlines() {
    table_.lay(kCard, 0);
    image_ = table_.photo();
    photo_ = look_at(image_);
  }

  Table table_{400, 400};
  Image image_;
  Photo photo_;
};

TEST_F(Outlines, TheCardsIsBorneOut) {
  const Support support = support_of(photo_, kCard, {});
  EXPECT_GT(support.edge, 0.98);
  EXPECT_GT(support.lighter, 0.98);
  EXPECT_GT(support.weakest_side, 0.95);
  EXPECT_LT(support.unevenness, 0.02);
}

TEST_F(Outlines, OthersAreNot) {
  EXPECT_LT(support_of(photo_, moved_by(kCard, {30, 0}), {}).edge, 0.6);
  EXPECT_LT(support_of(photo_, card_at({200, 200}, 20, 70), {}).edge, 0.2);
  EXPECT_EQ(support_of(photo_, card_at({-300, -300}, 0), {}).edge, 0) << "beyond the picture nothing is seen";
}

TEST_F(Outlines, OfSomethingDarkHaveNoLighterSide) {
  Table table(400, 400, {230, 230, 230});
  cv::fillConvexPoly(table.pixels(), std::vector<cv::Point>{{150, 130}, {250, 130}, {250, 270}, {150, 270}},
                     {40, 40, 40});
  const Image image = table.photo();
  const Support support = support_of(look_at(image), card_at({200, 200}, 0), {});
  EXPECT_GT(support.edge, 0.95);
  EXPECT_LT(support.lighter, 0.05);
}

TEST_F(Outlines, WhatIsCoveredNeedsNoEdge) {
  // The same card, where another lies upon its lower half.
  const Quad above = card_at({200, 330}, 0, 200);
  table_.lay(above, 2);
  const Image image = table_.photo();
  const Photo photo = look_at(image);
  EXPECT_LT(support_of(photo, kCard, {}).edge, 0.8);
  const std::vector<Quad> cards{above};
  EXPECT_GT(support_of(photo, kCard, cards).edge, 0.95);
}

TEST_F(Outlines, MoveOntoTheEdges) {
  for (const cv::Point2d& d : {cv::Point2d{3, 0}, {0, -4}, {-3, 3}}) {
    const Quad rough = moved_by(kCard, d);
    const Quad moved = moved_onto_edges(photo_, rough, {});
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_LT(cv::norm(moved[i] - kCard[i]), 2) << d.x << ", " << d.y;  // a pixel a side
  }
}

TEST_F(Outlines, StayWhereThereIsNoEdge) {
  const Quad elsewhere = card_at({60, 330}, 0, 50);
  EXPECT_EQ(moved_onto_edges(photo_, elsewhere, {}), elsewhere);
}

TEST_F(Outlines, OfRegionsAndOfSidesAreAmongThoseTried) {
  const auto near = [](const std::vector<Quad>& quads) {
    for (const Quad& quad : quads)
      if (same_place(ordered(quad), kCard, 0.04)) return true;
    return false;
  };
  EXPECT_TRUE(near(quads_of_regions(photo_)));
  int sides = 0;
  for (const Segment& segment : straight_edges(photo_))
    for (std::size_t i = 0; i < 4; ++i) {
      const cv::Point2d middle = (kCard[i] + kCard[(i + 1) % 4]) * 0.5;
      const double off = std::abs((middle - segment.from).cross(segment.direction()));
      sides += off < 2 && segment.length() > 80 ? 1 : 0;
    }
  EXPECT_GE(sides, 4);
}

TEST_F(Outlines, FramesPrintedOnACardAreNone) {
  Table table(400, 400);
  table.lay(card_at({200, 200}, 0), 0);
  cv::rectangle(table.pixels(), cv::Rect(163, 148, 74, 104), {20, 20, 120}, 2);
  const Image image = table.photo();
  const Photo photo = look_at(image);
  const std::vector<Quad> both{card_at({200, 200}, 0), card_at({200, 200}, 0, 74)};
  std::vector<Hypothesis> hypotheses = supported(photo, both, {});
  ASSERT_EQ(hypotheses.size(), 2u);
  remove_inner_frames(hypotheses);
  ASSERT_EQ(hypotheses.size(), 1u);
  EXPECT_NEAR(sides(hypotheses[0].quad).width, 100, 3);
}

TEST_F(Outlines, TheSameIsTriedOnce) {
  const std::vector<Quad> quads{kCard, moved_by(kCard, {2, 1}), moved_by(kCard, {-2, 2})};
  EXPECT_EQ(supported(photo_, quads, {}).size(), 1u);
}

}  // namespace
}  // namespace cudacards
