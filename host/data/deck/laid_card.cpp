#include "host/data/deck/laid_card.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace cudacards {
namespace {

/// How much of a place (x, y) on the card is card: 0 outside the rounded corners.
float coverage_at(double x, double y, double width, double height, double radius) {
  const auto inside = [](double v, double length, double margin) { return v > margin && v < length - margin; };
  if (inside(x, width, 1) && inside(y, height, 1) && (inside(x, width, radius) || inside(y, height, radius))) return 1;
  const double dx = std::max({radius - x, x - (width - radius), 0.0}),
               dy = std::max({radius - y, y - (height - radius), 0.0});
  return static_cast<float>(std::clamp(radius - std::hypot(dx, dy) + 0.5, 0.0, 1.0));
}

/// Further than any shadow's edge from its card, in pixels.
constexpr int kShadowReach = 40;

cv::Rect grown(const cv::Rect& area, int margin, int size) {
  return cv::Rect(area.x - margin, area.y - margin, area.width + 2 * margin, area.height + 2 * margin) &
         cv::Rect(0, 0, size, size);
}

/// The pixels that a card with these corners touches.
cv::Rect area_of(const Corners& corners, int size) {
  const cv::Rect around = cv::boundingRect(std::vector<cv::Point2f>(corners.begin(), corners.end()));
  return grown(around, 2, size);
}

}  // namespace

LaidCard place_card(const FlatCard& card, const Corners& corners, int size) {
  const cv::Mat& face = card.face;
  const double right = face.cols, bottom = face.rows;
  const auto far_x = static_cast<float>(right), far_y = static_cast<float>(bottom);
  const Corners flat{cv::Point2f{0, 0}, {far_x, 0}, {far_x, far_y}, {0, far_y}};
  Corners scaled = corners;
  for (cv::Point2f& p : scaled) p *= static_cast<float>(size);
  const cv::Mat matrix = cv::getPerspectiveTransform(scaled.data(), flat.data());  // from the picture to the face
  const double* m = matrix.ptr<double>();

  const cv::Rect area = area_of(scaled, size);
  const auto pixels = static_cast<std::size_t>(area.area());
  LaidCard layer{area, std::vector<float>(pixels * 3), std::vector<float>(pixels)};
  std::size_t i = 0;
  for (int y = area.y; y < area.br().y; ++y) {
    for (int x = area.x; x < area.br().x; ++x, ++i) {
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
      std::copy_n(rgb, 3, &layer.rgb[i * 3]);
      layer.coverage[i] = coverage;
    }
  }
  return layer;
}

void cast_shadow(FloatPicture& picture, const LaidCard& layer, DeckRandom& random) {
  const int size = picture.size();
  const cv::Rect reach = grown(layer.area, kShadowReach, size);
  cv::Mat mask = cv::Mat::zeros(reach.size(), CV_8U);
  for (int y = 0; y < layer.area.height; ++y) {
    std::uint8_t* row = mask.ptr(y + layer.area.y - reach.y) + layer.area.x - reach.x;
    const float* coverage = &layer.coverage[static_cast<std::size_t>(y) * layer.area.width];
    for (int x = 0; x < layer.area.width; ++x) row[x] = to_byte(coverage[x] * 255);
  }
  const double softness = random.uniform(1.5, 8);
  cv::GaussianBlur(mask, mask, {}, softness);
  const double dark = random.uniform(0.15, 0.7);
  const int dx = random.integer(-6, 8), dy = random.integer(-4, 8);
  for (int y = 0; y < reach.height; ++y) {
    for (int x = 0; x < reach.width; ++x) {
      const int from_x = std::clamp(x - dx, 0, reach.width - 1), from_y = std::clamp(y - dy, 0, reach.height - 1);
      const float factor = static_cast<float>(1 - dark * mask.at<std::uint8_t>(from_y, from_x) / 255);
      float* pixel = picture.at(x + reach.x, y + reach.y);
      for (int k = 0; k < 3; ++k) pixel[k] *= factor;
    }
  }
}

void lay(FloatPicture& picture, const LaidCard& layer) {
  std::size_t at = 0;
  for (int y = layer.area.y; y < layer.area.br().y; ++y) {
    for (int x = layer.area.x; x < layer.area.br().x; ++x, ++at) {
      float* pixel = picture.at(x, y);
      for (std::size_t k = 0; k < 3; ++k) pixel[k] = pixel[k] * (1 - layer.coverage[at]) + layer.rgb[at * 3 + k];
    }
  }
}

}  // namespace cudacards
