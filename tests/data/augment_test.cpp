// Random views stay within their ranges, depend on nothing but (seed, epoch, picture), and never show a card in a
// mirror.

#include "host/data/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "host/runtime/error.h"
#include "tests/support/case_scope.h"
#include "tests/support/error_text.h"

namespace cudacards {
namespace {

using testing::HasSubstr;
using testing_support::CaseScope;
using testing_support::error_text;
using testing_support::numbered_cases;
using testing_support::wanted_case;

constexpr int kHeight = 60, kWidth = 80;

constexpr std::uint64_t picture(int number) { return static_cast<std::uint64_t>(number); }

AugmentOptions everything() {
  return {.rotation_degrees = 180,
          .scale = 0.9f,
          .shift = 1,
          .perspective = 0.2f,
          .brightness = 1,
          .contrast = 1,
          .blur_probability = 0.5f,
          .blur_sigma = 3,
          .erase_probability = 0.5f,
          .erase_area = 0.4f};
}

double determinant(const std::array<float, 9>& m) {
  const auto at = [&](std::size_t i) { return static_cast<double>(m[i]); };
  return at(0) * (at(4) * at(8) - at(5) * at(7)) - at(1) * (at(3) * at(8) - at(5) * at(6)) +
         at(2) * (at(3) * at(7) - at(4) * at(6));
}

struct Point {
  double x, y, w;
};
Point mapped(const std::array<float, 9>& m, double x, double y) {
  const auto row = [&](std::size_t i) {
    return static_cast<double>(m[i]) * x + static_cast<double>(m[i + 1]) * y + static_cast<double>(m[i + 2]);
  };
  return {row(0) / row(6), row(3) / row(6), row(6)};
}

TEST(DrawTransform, NeverMirrors) {
  for (const int index : numbered_cases(20'000)) {
    const CaseScope scope(index);
    const auto m = draw_transform(everything(), 1, 0, picture(index), kHeight, kWidth).source_from_destination;
    ASSERT_GT(determinant(m), 0);
  }
}

// Where the determinant is positive a map keeps its sense wherever w > 0. Moderate ranges must have that on the whole
// picture.
TEST(DrawTransform, KeepsTheHorizonOutOfThePicture) {
  const AugmentOptions options{.rotation_degrees = 30, .scale = 0.3f, .shift = 0.2f, .perspective = 0.1f};
  for (const int index : numbered_cases(5'000)) {
    const CaseScope scope(index);
    const auto m = draw_transform(options, 2, 0, picture(index), kHeight, kWidth).source_from_destination;
    for (const double x : {0.0, kWidth - 1.0}) {
      for (const double y : {0.0, kHeight - 1.0}) ASSERT_GT(mapped(m, x, y).w, 0);
    }
  }
}

TEST(DrawTransform, DependsOnSeedEpochAndPictureAlone) {
  const auto draw = [](std::uint64_t seed, std::uint64_t epoch, std::uint64_t index) {
    return draw_transform(everything(), seed, epoch, index, kHeight, kWidth).source_from_destination;
  };
  const auto first = draw(1, 2, 3);
  EXPECT_NE(draw(2, 2, 3), first);
  EXPECT_NE(draw(1, 3, 3), first);
  EXPECT_NE(draw(1, 2, 4), first);
  EXPECT_EQ(draw(1, 2, 3), first);
}

TEST(DrawTransform, SwitchingOneThingOnLeavesTheOthersAsTheyWere) {
  const AugmentOptions little{.rotation_degrees = 10};
  AugmentOptions more = little;
  more.erase_probability = 1;
  more.brightness = 0.5f;
  EXPECT_EQ(draw_transform(little, 1, 0, 9, kHeight, kWidth).source_from_destination,
            draw_transform(more, 1, 0, 9, kHeight, kWidth).source_from_destination);
}

TEST(DrawTransform, IsTheIdentityWhereNothingIsAskedFor) {
  EXPECT_FALSE(AugmentOptions{}.enabled());
  const ImageTransform transform = draw_transform({}, 1, 2, 3, kHeight, kWidth);
  EXPECT_TRUE(transform.is_identity);
  EXPECT_EQ(transform.source_from_destination, ImageTransform{}.source_from_destination);
  EXPECT_FALSE(draw_transform({.brightness = 0.1f}, 1, 2, 3, kHeight, kWidth).is_identity);
}

struct Range {
  double least = 1e9, most = -1e9;
  void add(double value) { least = std::min(least, value), most = std::max(most, value); }
};

// The extremes of 4,000 uniform draws lie within the range and within 1 % of its ends (missing by chance: 1 in 10^8).
void expect_fills(const Range& range, double least, double most) {
  const double slack = 0.01 * (most - least);
  EXPECT_GE(range.least, least - 1e-4);
  EXPECT_LE(range.least, least + slack);
  EXPECT_LE(range.most, most + 1e-4);
  EXPECT_GE(range.most, most - slack);
}

TEST(DrawTransform, FillsItsRangesAboutTheCentre) {
  constexpr double kCentreX = (kWidth - 1) / 2.0, kCentreY = (kHeight - 1) / 2.0;
  Range angle, zoom, shift_x, shift_y, brightness, contrast;
  for (std::uint64_t index = 0; index < 4'000; ++index) {
    const auto turned = draw_transform({.rotation_degrees = 15}, 3, 0, index, kHeight, kWidth).source_from_destination;
    angle.add(std::atan2(static_cast<double>(turned[3]), static_cast<double>(turned[0])) * 180 / std::numbers::pi);
    EXPECT_NEAR(mapped(turned, kCentreX, kCentreY).x, kCentreX, 1e-4);
    EXPECT_NEAR(mapped(turned, kCentreX, kCentreY).y, kCentreY, 1e-4);

    const auto zoomed = draw_transform({.scale = 0.2f}, 3, 0, index, kHeight, kWidth).source_from_destination;
    zoom.add(1 / static_cast<double>(zoomed[0]));
    EXPECT_EQ(zoomed[0], zoomed[4]);

    const auto shifted = draw_transform({.shift = 0.1f}, 3, 0, index, kHeight, kWidth).source_from_destination;
    shift_x.add(static_cast<double>(shifted[2]));
    shift_y.add(static_cast<double>(shifted[5]));

    const ImageTransform lit = draw_transform({.brightness = 0.2f, .contrast = 0.3f}, 3, 0, index, kHeight, kWidth);
    brightness.add(static_cast<double>(lit.brightness));
    contrast.add(static_cast<double>(lit.contrast));
  }
  expect_fills(angle, -15, 15);
  expect_fills(zoom, 0.8, 1.2);
  expect_fills(shift_x, -0.1 * kWidth, 0.1 * kWidth);
  expect_fills(shift_y, -0.1 * kHeight, 0.1 * kHeight);
  expect_fills(brightness, -51, 51);
  expect_fills(contrast, 0.7, 1.3);
}

TEST(DrawTransform, MovesEachCornerWithinItsShare) {
  for (const int index : numbered_cases(2'000)) {
    const CaseScope scope(index);
    const auto m = draw_transform({.perspective = 0.1f}, 4, 0, picture(index), kHeight, kWidth).source_from_destination;
    for (const double x : {-0.5, kWidth - 0.5}) {
      for (const double y : {-0.5, kHeight - 0.5}) {
        ASSERT_NEAR(mapped(m, x, y).x, x, 0.1 * kWidth + 1e-3);
        ASSERT_NEAR(mapped(m, x, y).y, y, 0.1 * kHeight + 1e-3);
      }
    }
  }
}

TEST(DrawTransform, BlursAndErasesAsOftenAndAsMuchAsAsked) {
  const AugmentOptions options{
      .blur_probability = 0.25f, .blur_sigma = 2, .erase_probability = 0.5f, .erase_area = 0.2f};
  int blurred = 0, erased = 0;
  for (const int index : numbered_cases(4'000)) {
    const CaseScope scope(index);
    const ImageTransform transform = draw_transform(options, 5, 0, picture(index), kHeight, kWidth);
    blurred += transform.blur_sigma > 0;
    ASSERT_LE(transform.blur_sigma, 2);
    const auto& area = transform.erase;
    if (area.width == 0) continue;
    ++erased;
    ASSERT_GE(area.x, 0);
    ASSERT_GE(area.y, 0);
    ASSERT_LE(area.x + area.width, kWidth);
    ASSERT_LE(area.y + area.height, kHeight);
    const double share = static_cast<double>(area.width * area.height) / (kWidth * kHeight);
    ASSERT_GT(share, 0.015);
    ASSERT_LT(share, 0.21);
  }
  if (!wanted_case().empty()) return;
  EXPECT_NEAR(blurred, 1000, 4 * std::sqrt(4000 * 0.25 * 0.75));
  EXPECT_NEAR(erased, 2000, 4 * std::sqrt(4000 * 0.5 * 0.5));
}

TEST(AugmentOptions, AreCheckedByName) {
  EXPECT_NO_THROW(validate(AugmentOptions{}));
  EXPECT_NO_THROW(validate(everything()));
  EXPECT_THAT(error_text([] { validate(AugmentOptions{.scale = 1}); }),
              HasSubstr("scale must be from 0 to 0.9, got 1"));
  EXPECT_THAT(error_text([] { validate(AugmentOptions{.shift = -0.1f}); }), HasSubstr("shift"));
  EXPECT_THAT(error_text([] { validate(AugmentOptions{.blur_probability = NAN}); }), HasSubstr("blur_probability"));
}

}  // namespace
}  // namespace cudacards
