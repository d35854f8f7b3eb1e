#include "host/data/deck/photograph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "host/data/deck/background.h"

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

/// A card as seen in the picture: colour times coverage, and coverage (0 to 1), each the mean over two places within
/// the pixel.
struct Layer {
  std::vector<float> rgb, coverage;
};

/// How much of a place (x, y) on the card is card: 0 outside the rounded corners.
float coverage_at(double x, double y, double width, double height, double radius) {
  const auto inside = [](double v, double length, double margin) { return v > margin && v < length - margin; };
  if (inside(x, width, 1) && inside(y, height, 1) && (inside(x, width, radius) || inside(y, height, radius))) return 1;
  const double dx = std::max({radius - x, x - (width - radius), 0.0}),
               dy = std::max({radius - y, y - (height - radius), 0.0});
  return static_cast<float>(std::clamp(radius - std::hypot(dx, dy) + 0.5, 0.0, 1.0));
}

Layer place_card(const FlatCard& card, const Corners& corners, int size) {
  const cv::Mat& face = card.face;
  const double right = face.cols, bottom = face.rows;
  const auto far_x = static_cast<float>(right), far_y = static_cast<float>(bottom);
  const Corners flat{cv::Point2f{0, 0}, {far_x, 0}, {far_x, far_y}, {0, far_y}};
  Corners scaled = corners;
  for (cv::Point2f& p : scaled) p *= static_cast<float>(size);
  const cv::Mat matrix = cv::getPerspectiveTransform(scaled.data(), flat.data());  // from the picture to the face
  const double* m = matrix.ptr<double>();

  const auto pixels = static_cast<std::size_t>(size) * size;
  Layer layer{std::vector<float>(pixels * 3), std::vector<float>(pixels)};
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      float rgb[3] = {}, coverage = 0;
      for (const double part : {0.25, 0.75}) {
        const double px = x + part, py = y + part;
        const double w = 1 / (m[6] * px + m[7] * py + m[8]);
        const double u = (m[0] * px + m[1] * py + m[2]) * w, v = (m[3] * px + m[4] * py + m[5]) * w;
        if (u < -0.5 || v < -0.5 || u > right + 0.5 || v > bottom + 0.5) continue;
        const float covered = coverage_at(u, v, right, bottom, card.corner_radius) / 2;
        const double fu = std::clamp(u - 0.5, 0.0, right - 1.001), fv = std::clamp(v - 0.5, 0.0, bottom - 1.001);
        const int column = static_cast<int>(fu), row = static_cast<int>(fv);
        const float across = static_cast<float>(fu - column), down = static_cast<float>(fv - row);
        const std::uint8_t* upper = face.ptr(row) + column * 3;
        const std::uint8_t* lower = upper + face.step;
        for (int k = 0; k < 3; ++k) {
          const float a = upper[k] + (upper[k + 3] - upper[k]) * across,
                      b = lower[k] + (lower[k + 3] - lower[k]) * across;
          rgb[k] += (a + (b - a) * down) * covered;
        }
        coverage += covered;
      }
      const std::size_t i = static_cast<std::size_t>(y) * size + x;
      std::copy_n(rgb, 3, &layer.rgb[i * 3]);
      layer.coverage[i] = coverage;
    }
  }
  return layer;
}

/// Darkens the picture where the card's shadow falls.
void cast_shadow(FloatPicture& picture, const Layer& layer, DeckRandom& random) {
  const int size = picture.size();
  cv::Mat mask(size, size, CV_8U);
  for (int i = 0; i < size * size; ++i) mask.data[i] = to_byte(layer.coverage[static_cast<std::size_t>(i)] * 255);
  const double softness = random.uniform(1.5, 8);
  cv::GaussianBlur(mask, mask, {}, softness);
  const double dark = random.uniform(0.15, 0.7);
  const int dx = random.integer(-6, 8), dy = random.integer(-4, 8);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const int from_x = std::clamp(x - dx, 0, size - 1), from_y = std::clamp(y - dy, 0, size - 1);
      const float factor = static_cast<float>(1 - dark * mask.at<std::uint8_t>(from_y, from_x) / 255);
      float* pixel = picture.at(x, y);
      for (int k = 0; k < 3; ++k) pixel[k] *= factor;
    }
  }
}

void lay(FloatPicture& picture, const Layer& layer) {
  const int size = picture.size();
  for (int i = 0; i < size * size; ++i) {
    const auto at = static_cast<std::size_t>(i);
    float* pixel = picture.at(i % size, i / size);
    for (std::size_t k = 0; k < 3; ++k) pixel[k] = pixel[k] * (1 - layer.coverage[at]) + layer.rgb[at * 3 + k];
  }
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

/// Light and the camera's colours: a gradient, sometimes the edge of a shadow or a highlight, gains a channel,
/// contrast, saturation.
void expose(FloatPicture& picture, DeckRandom& random) {
  const int size = picture.size();
  const bool flat = random.chance(0.35);  // a drawing or a scan has even light
  const double strength = flat ? 0.04 : 0.28;
  const double slope_x = random.uniform(-strength, strength), slope_y = random.uniform(-strength, strength);
  const double level = flat ? random.uniform(0.93, 1.03) : random.uniform(0.62, 1.12);
  const double warmth = flat ? random.uniform(-0.02, 0.02) : random.uniform(-0.12, 0.12),
               tint = random.uniform(-0.04, 0.04);
  const double gains[] = {1 + warmth, 1 + tint, 1 - warmth};
  const double contrast = random.uniform(0.8, 1.15), lift = random.uniform(-10, 14);
  const double saturation = random.chance(0.04) ? 0 : random.uniform(0.65, 1.2);

  const bool shaded = !flat && random.chance(0.25);
  const double edge = random.uniform(0, 2 * std::numbers::pi), edge_at = random.uniform(-0.3, 0.3);
  const double edge_soft = random.uniform(0.02, 0.2), shade = random.uniform(0.3, 0.75);
  const bool glossy = !flat && random.chance(0.2);
  const Point gloss{random.uniform(0, 1), random.uniform(0, 1)};
  const double gloss_radius = random.uniform(0.15, 0.5), gloss_light = random.uniform(20, 110);

  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const double u = (x + 0.5) / size - 0.5, v = (y + 0.5) / size - 0.5;
      double light = level * (1 + slope_x * 2 * u + slope_y * 2 * v);
      if (shaded) {
        const double across = (u * std::cos(edge) + v * std::sin(edge) - edge_at) / edge_soft;
        light *= 1 - (1 - shade) * std::clamp(0.5 + across, 0.0, 1.0);
      }
      double added = lift;
      if (glossy) {
        const double distance = std::hypot(u + 0.5 - gloss.x, v + 0.5 - gloss.y) / gloss_radius;
        if (distance < 1) added += gloss_light * (1 - distance * distance) * (1 - distance * distance);
      }
      float* pixel = picture.at(x, y);
      const double grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
      for (int k = 0; k < 3; ++k) {
        const double colour = grey + (pixel[k] - grey) * saturation;
        pixel[k] = static_cast<float>((colour * light * gains[k] - 128) * contrast + 128 + added);
      }
    }
  }
}

cv::Mat develop(FloatPicture& picture) {
  const int size = picture.size();
  cv::Mat image(size, size, CV_8UC3);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      for (int k = 0; k < 3; ++k) {
        image.at<cv::Vec3b>(y, x)[k] = to_byte(picture.at(x, y)[k]);
      }
    }
  }
  return image;
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

void add_noise(cv::Mat& image, double amplitude, DeckRandom& noise) {
  if (amplitude < 0.5) return;
  for (int y = 0; y < image.rows; ++y) {
    std::uint8_t* row = image.ptr(y);
    for (int i = 0; i < image.cols * 3; ++i) {
      // The sum of two uniform numbers is near enough to a bell.
      const std::uint32_t word = noise.word();
      const double bell = static_cast<double>((word & 0xffff) + (word >> 16)) / 65535 - 1;
      row[i] = to_byte(row[i] + bell * amplitude);
    }
  }
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
    const Layer behind = place_card(*neighbour, fanned(corners, random), size);
    cast_shadow(picture, behind, random);
    lay(picture, behind);
  }
  const Layer layer = place_card(card, corners, size);
  if (neighbour || random.chance(0.5)) cast_shadow(picture, layer, random);
  lay(picture, layer);
  expose(picture, random);
  cv::Mat image = develop(picture);
  soften(image, random);
  add_noise(image, random.chance(0.5) ? random.uniform(0, 22) : 0, noise);
  return image;
}

}  // namespace cudacards
