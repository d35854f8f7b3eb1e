// A card cut out of a photo is what lies there; what is hidden comes from the card's other half.

#include "host/scene/rectify.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/scene/coloured_cards.h"

namespace cudacards {
namespace {

using testing_support::card_at;

constexpr int kSide = 40;

class Rectify : public testing::Test {
 protected:
  /// Its pixels say where they lie: red is x, green is y.
  Rectify() : image_(200, 200) {
    for (int y = 0; y < 200; ++y) {
      for (int x = 0; x < 200; ++x) {
        std::uint8_t* p = &image_.pixels[static_cast<std::size_t>(y * 200 + x) * 3];
        p[0] = static_cast<std::uint8_t>(x);
        p[1] = static_cast<std::uint8_t>(y);
        p[2] = 0;
      }
    }
    photo_ = look_at(image_);
  }

  std::vector<std::uint8_t> cut(const Quad& quad, const std::vector<Quad>& above = {}, bool upside_down = false) const {
    std::vector<std::uint8_t> card(kSide * kSide * 3);
    rectify(photo_, quad, above, upside_down, kSide, kSide, card.data());
    return card;
  }

  /// Of the place at these shares of the card's width and height.
  static cv::Point2d place(const std::vector<std::uint8_t>& card, double x, double y) {
    const std::size_t i = (static_cast<std::size_t>(y * kSide) * kSide + static_cast<std::size_t>(x * kSide)) * 3;
    return {static_cast<double>(card[i]), static_cast<double>(card[i + 1])};
  }

  static void expect_near(const cv::Point2d& a, const cv::Point2d& b, double most) {
    EXPECT_NEAR(a.x, b.x, most);
    EXPECT_NEAR(a.y, b.y, most);
  }

  Image image_;
  Photo photo_;
};

const Quad kCard{cv::Point2d{50, 40}, {110, 40}, {110, 124}, {50, 124}};

TEST_F(Rectify, PutsTheFirstSideOnTop) {
  expect_near(place(cut(kCard), 0.25, 0.25), {65, 61}, 2);
  expect_near(place(cut(kCard), 0.75, 0.25), {95, 61}, 2);
  expect_near(place(cut(kCard, {}, /*upside_down=*/true), 0.25, 0.25), {95, 103}, 2);
}

TEST_F(Rectify, TurnsATurnedCardUpright) {
  const Quad card = card_at({100, 100}, 90, 60);  // its top is on the right
  expect_near(place(cut(card), 0.5, 0.1), {100 + 0.4 * 84, 100}, 2);
  expect_near(place(cut(card), 0.1, 0.5), {100, 100 - 0.4 * 60}, 2);
}

TEST_F(Rectify, TakesWhatIsHiddenFromTheOtherHalf) {
  const Quad upper_right{cv::Point2d{85, 30}, {120, 30}, {120, 75}, {85, 75}};
  const auto card = cut(kCard, {upper_right});
  expect_near(place(card, 0.75, 0.25), {65, 103}, 2);  // the card's lower left
  expect_near(place(card, 0.25, 0.25), {65, 61}, 2);   // not hidden
}

TEST_F(Rectify, TakesWhatLiesBeyondThePictureFromTheOtherHalf) {
  const Quad cut_off{cv::Point2d{-20, 40}, {40, 40}, {40, 124}, {-20, 124}};
  expect_near(place(cut(cut_off), 0.1, 0.5), {34, 82}, 2);
}

TEST_F(Rectify, IsBlankWhereBothHalvesAreHidden) {
  const Quad middle{cv::Point2d{60, 30}, {100, 30}, {100, 130}, {60, 130}};
  const auto card = cut(kCard, {middle});
  const cv::Point2d blank = place(card, 0.5, 0.5);
  EXPECT_EQ(blank, place(card, 0.4, 0.4));
  EXPECT_GT(blank.x, 100) << "as light as the lightest that is seen";
}

TEST_F(Rectify, VisiblePartIsWhatNothingCovers) {
  const Visible whole = visible_part(photo_, kCard, {});
  EXPECT_NEAR(whole.share, 1, 0.03);
  EXPECT_EQ(whole.box, cv::Rect2d(50, 40, 60, 84));
  const std::vector<Quad> right_half{{cv::Point2d{80, 0}, {190, 0}, {190, 190}, {80, 190}}};
  const Visible half = visible_part(photo_, kCard, right_half);
  EXPECT_NEAR(half.share, 0.5, 0.03);
  EXPECT_NEAR(half.box.br().x, 80, 1.5);
  EXPECT_NEAR(half.box.height, 84, 1.5);
  EXPECT_EQ(visible_part(photo_, card_at({-300, -300}, 0), {}).share, 0);
  const std::vector<Quad> all{{cv::Point2d{0, 0}, {190, 0}, {190, 190}, {0, 190}}};
  EXPECT_EQ(visible_part(photo_, kCard, all).share, 0);
}

TEST(RectifyLarge, AveragesLargeCards) {
  // Stripes of one pixel: cut out of every third pixel they would be black or white.
  Image image(1200, 900);
  for (int i = 0; i < 1200 * 900; ++i)
    for (int k = 0; k < 3; ++k) image.pixels[static_cast<std::size_t>(i) * 3 + k] = i % 2 == 0 ? 0 : 255;
  const Photo photo = look_at(image);
  std::vector<std::uint8_t> card(kSide * kSide * 3);
  const double s = photo.scale;
  rectify(photo, {cv::Point2d{50 * s, 50 * s}, {850 * s, 50 * s}, {850 * s, 1150 * s}, {50 * s, 1150 * s}}, {}, false,
          kSide, kSide, card.data());
  for (const std::uint8_t value : card) EXPECT_NEAR(value, 127, 25);
}

}  // namespace
}  // namespace cudacards
