#include "host/data/deck/photograph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "host/data/deck/background.h"
#include "host/data/deck/exposure.h"
#include "host/data/deck/laid_card.h"

namespace cudacards {
namespace {

enum class Shot { kScan, kPhoto, kCloseUp, kTurned };

constexpr float kLeastVisible = 0.5f;  // of the picture

Corners propose_placement(DeckRandom& random) {
  static constexpr double kShots[] = {0.62, 0.30, 0.05, 0.03};
  const Shot shot = static_cast<Shot>(random.weighted(kShots));
  double half_x = 0, half_y = 0, degrees = 0, bend = 0;
  Point centre{0.5, 0.5};
  switch (shot) {
    case Shot::kScan:  // cut out along the card's edges and squeezed to a square, as most pictures of data sets are
      half_x = random.uniform(0.455, 0.525);
      half_y = random.uniform(0.455, 0.525);
      degrees = random.chance(0.5) ? 0 : random.uniform(-4, 4);
      bend = random.chance(0.5) ? 0 : 0.012;
      break;
    case Shot::kPhoto:
      half_x = random.uniform(0.36, 0.46);
      half_y = std::min(half_x * random.uniform(1.0, 1.35), 0.52);
      degrees = random.uniform(-25, 25);
      bend = 0.06;
      break;
    case Shot::kCloseUp:
      half_x = random.uniform(0.55, 0.68);
      half_y = random.uniform(0.55, 0.68);
      degrees = random.uniform(-12, 12);
      bend = 0.05;
      centre = {0.44 + 1.05 * (half_x - 0.5),
                0.44 + 1.05 * (half_y - 0.5)};  // the upper left index stays in the picture
      break;
    case Shot::kTurned:
      half_x = random.uniform(0.36, 0.40);
      half_y = random.uniform(0.36, 0.42);
      degrees = random.uniform(-180, 180);
      bend = 0.04;
      break;
  }
  centre.x += random.uniform(-0.02, 0.02);
  centre.y += random.uniform(-0.02, 0.02);
  const Affine place = Affine::translate(centre.x, centre.y) * Affine::rotate(degrees) * Affine::scale(half_x, half_y);
  Corners corners;
  static const Point kCorners[] = {{-1, -1}, {1, -1}, {1, 1}, {-1, 1}};
  for (std::size_t i = 0; i < 4; ++i) {
    const Point at = place(kCorners[i]);
    const double dx = random.uniform(-bend, bend), dy = random.uniform(-bend, bend);
    corners[i] = cv::Point2f(static_cast<float>(at.x + dx), static_cast<float>(at.y + dy));
  }
  return corners;
}

/// The share of the picture that the card covers.
float visible_share(const Corners& corners) {
  const std::vector<cv::Point2f> card(corners.begin(), corners.end()), picture{{0, 0}, {1, 0}, {1, 1}, {0, 1}};
  std::vector<cv::Point2f> common;
  return cv::intersectConvexConvex(card, picture, common);
}

/// The neighbour's corners: the card's, turned about a lower corner as in a fanned hand.
Corners fanned(const Corners& corners, DeckRandom& random) {
  const double degrees = random.uniform(8, 28) * (random.chance(0.7) ? 1 : -1);
  const cv::Point2f pivot = degrees > 0 ? corners[3] : corners[2];
  const Affine turn =
      Affine::translate(pivot.x, pivot.y) * Affine::rotate(degrees) * Affine::translate(-pivot.x, -pivot.y);
  Corners result;
  for (std::size_t i = 0; i < 4; ++i) {
    const Point at = turn({corners[i].x, corners[i].y});
    result[i] = cv::Point2f(static_cast<float>(at.x), static_cast<float>(at.y));
  }
  return result;
}

/// Out of focus, or enlarged from fewer pixels.
void soften(cv::Mat& image, DeckRandom& random) {
  if (random.chance(0.18)) {
    const int small = static_cast<int>(image.rows * random.uniform(0.35, 0.7));
    cv::Mat coarse;
    cv::resize(image, coarse, {small, small}, 0, 0, cv::INTER_AREA);
    cv::resize(coarse, image, image.size(), 0, 0, cv::INTER_LINEAR);
  }
  if (random.chance(0.4)) cv::GaussianBlur(image, image, {}, random.uniform(0.3, 1.5));
}

}  // namespace

Corners draw_placement(DeckRandom& random) {
  for (;;) {
    const Corners corners = propose_placement(random);
    if (visible_share(corners) >= kLeastVisible) return corners;
  }
}

cv::Mat photograph(const FlatCard& card, const std::optional<FlatCard>& neighbour, int size, DeckRandom& random,
                   DeckRandom& noise) {
  const Corners corners = draw_placement(random);
  FloatPicture picture = draw_background(size, random);
  if (neighbour) {
    const LaidCard behind = place_card(*neighbour, fanned(corners, random), size);
    cast_shadow(picture, behind, random);
    lay(picture, behind);
  }
  const LaidCard layer = place_card(card, corners, size);
  if (neighbour || random.chance(0.5)) cast_shadow(picture, layer, random);
  lay(picture, layer);
  expose(picture, random);
  cv::Mat image = develop(picture);
  soften(image, random);
  add_noise(image, random.chance(0.5) ? random.uniform(0, 22) : 0, noise);
  return image;
}

}  // namespace cudacards
