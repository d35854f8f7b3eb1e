// Geometry with known answers.

#include "host/scene/quad.h"

#include <gtest/gtest.h>

#include <vector>

#include "host/scene/corners.h"
#include "tests/scene/coloured_cards.h"

namespace cudacards {
namespace {

using testing_support::card_at;

const Quad kUpright{cv::Point2d{10, 20}, {73, 20}, {73, 108}, {10, 108}};

TEST(Quad, AreaAndSidesAreThoseOfTheRectangle) {
  EXPECT_DOUBLE_EQ(area(kUpright), 63 * 88);
  EXPECT_DOUBLE_EQ(sides(kUpright).width, 63);
  EXPECT_DOUBLE_EQ(sides(kUpright).height, 88);
  EXPECT_EQ(centre(kUpright), cv::Point2d(41.5, 64));
}

TEST(Quad, IsOrderedFromAnyCornerAndEitherWay) {
  for (std::size_t start = 0; start < 4; ++start) {
    for (const bool backwards : {false, true}) {
      Quad corners;
      for (std::size_t i = 0; i < 4; ++i) corners[i] = kUpright[(start + (backwards ? 4 - i : i)) % 4];
      const Quad quad = ordered(corners);
      EXPECT_LT(sides(quad).width, sides(quad).height);
      EXPECT_TRUE(is_card_shaped(quad));
      EXPECT_TRUE(same_place(quad, kUpright, 0.001));
    }
  }
}

TEST(Quad, HasTheShapeOfACardOrNot) {
  const auto rectangle = [](double width, double height) {
    return Quad{cv::Point2d{0, 0}, {width, 0}, {width, height}, {0, height}};
  };
  EXPECT_TRUE(is_card_shaped(rectangle(63, 88)));
  EXPECT_TRUE(is_card_shaped(rectangle(57, 89)));
  EXPECT_FALSE(is_card_shaped(rectangle(100, 110)));
  EXPECT_FALSE(is_card_shaped(rectangle(100, 200)));
  EXPECT_FALSE(is_card_shaped({cv::Point2d{0, 0}, {60, 0}, {120, 90}, {60, 90}})) << "leans";
  EXPECT_FALSE(is_card_shaped({cv::Point2d{0, 0}, {60, 0}, {80, 90}, {-20, 90}})) << "narrows";
  EXPECT_FALSE(is_card_shaped({cv::Point2d{0, 0}, {60, 90}, {60, 0}, {0, 90}})) << "crosses itself";
  EXPECT_FALSE(is_card_shaped({cv::Point2d{0, 0}, {0, 0}, {0, 0}, {0, 0}}));
}

TEST(Quad, SharesAreaAndPlace) {
  const Quad moved{cv::Point2d{41.5, 20}, {104.5, 20}, {104.5, 108}, {41.5, 108}};
  EXPECT_NEAR(shared_area(kUpright, moved), 63 * 88 / 2.0, 1);
  EXPECT_FALSE(same_place(kUpright, moved, 0.04));
  const Quad turned{kUpright[2], kUpright[3], kUpright[0], kUpright[1]};
  EXPECT_TRUE(same_place(kUpright, turned, 0.04));
  std::vector<Quad> quads{kUpright, moved, turned};
  remove_repeated(quads);
  EXPECT_EQ(quads.size(), 2u);
}

TEST(Quad, KnowsHowFarOutsideAPointIs) {
  EXPECT_DOUBLE_EQ(distance_outside(kUpright, {41, 15}), 5);
  EXPECT_DOUBLE_EQ(distance_outside(kUpright, {80, 60}), 7);
  EXPECT_DOUBLE_EQ(distance_outside(kUpright, {41, 24}), -4);
}

Segment side(const Quad& quad, std::size_t i) { return {quad[i], quad[(i + 1) % 4]}; }

bool contains(const std::vector<Quad>& quads, const Quad& card) {
  for (const Quad& quad : quads)
    if (same_place(quad, card, 0.03)) return true;
  return false;
}

TEST(SideQuads, ThreeSidesMakeACard) {
  const Quad card = card_at({200, 200}, 25);
  for (std::size_t missing = 0; missing < 4; ++missing) {
    std::vector<Segment> segments;
    for (std::size_t i = 0; i < 4; ++i)
      if (i != missing) segments.push_back(side(card, i));
    EXPECT_TRUE(contains(quads_of_sides(segments, 500, std::nullopt), card)) << missing;
  }
}

TEST(SideQuads, OneSideWithItsCornersMakesACard) {
  const Quad card = card_at({200, 200}, -40);
  const Segment base = side(card, 1);
  const std::vector<Segment> segments{
      base, {base.from, base.from + (card[0] - card[1]) * 0.3}, {base.to, base.to + (card[3] - card[2]) * 0.3}};
  EXPECT_TRUE(contains(quads_of_sides(segments, 500, std::nullopt), card));
}

TEST(SideQuads, OneCornerMakesACardOfKnownSizeAlone) {
  const Quad card = card_at({200, 200}, 70);
  const std::vector<Segment> segments{{card[0], card[0] + (card[1] - card[0]) * 0.6},
                                      {card[0], card[0] + (card[3] - card[0]) * 0.6}};
  EXPECT_FALSE(contains(quads_of_sides(segments, 500, std::nullopt), card));
  EXPECT_TRUE(contains(quads_of_sides(segments, 500, Sides{100, 140}), card));
  EXPECT_FALSE(contains(quads_of_sides(segments, 500, Sides{70, 98}), card));
}

TEST(SideQuads, CardsSideBySideShareAnEdge) {
  // The upper and lower edges of two cards are one line each.
  const Quad left = card_at({100, 200}, 0), right = card_at({200, 200}, 0);
  const std::vector<Segment> segments{
      {left[0], right[1]}, {right[2], left[3]}, side(left, 3), side(right, 1), {left[1], left[2]}};
  const auto quads = quads_of_sides(segments, 500, std::nullopt);
  EXPECT_TRUE(contains(quads, left));
  EXPECT_TRUE(contains(quads, right));
}

TEST(SideQuads, NothingComesOfNothing) {
  EXPECT_TRUE(quads_of_sides({}, 500, Sides{100, 140}).empty());
  EXPECT_TRUE(quads_of_sides({{{0, 0}, {100, 0}}, {{0, 50}, {100, 50}}}, 500, std::nullopt).empty());
}

}  // namespace
}  // namespace cudacards
