#include "host/scene/regions.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

namespace cudacards {
namespace {

constexpr double kLeastShare = 0.004, kMostShare = 0.9;  // of the picture

/// Lighter than: Otsu's threshold, a darker and a lighter one, and the mean of the neighbourhood.
void add_light_regions(const cv::Mat& channel, int neighbourhood, std::vector<cv::Mat>& masks) {
  cv::Mat mask;
  const double otsu = cv::threshold(channel, mask, 0, 255, cv::THRESH_BINARY | cv::THRESH_OTSU);
  masks.push_back(mask.clone());
  for (const double level : {0.7 * otsu, otsu + 0.25 * (255 - otsu)}) {
    cv::threshold(channel, mask, level, 255, cv::THRESH_BINARY);
    masks.push_back(mask.clone());
  }
  constexpr int kBrighter = -6;  // levels above the mean: above the noise of an even table
  cv::adaptiveThreshold(channel, mask, 255, cv::ADAPTIVE_THRESH_MEAN_C, cv::THRESH_BINARY, neighbourhood, kBrighter);
  masks.push_back(mask);
}

/// Edges, closed over gaps of two pixels, and what lies between them.
void add_edges(const cv::Mat& channel, std::vector<cv::Mat>& masks) {
  static constexpr std::array<std::array<double, 2>, 2> kThresholds{{{20, 60}, {50, 130}}};
  for (const auto& [low, high] : kThresholds) {
    cv::Mat edges, between;
    cv::Canny(channel, edges, low, high);
    cv::dilate(edges, edges, cv::Mat::ones(3, 3, CV_8U));
    cv::bitwise_not(edges, between);
    masks.push_back(edges);
    masks.push_back(between);
  }
}

std::vector<cv::Mat> masks_of(const Photo& photo) {
  const int neighbourhood = std::max(3, static_cast<int>(photo.longer_side() / 6) | 1);  // wider than a card
  std::vector<cv::Mat> masks;
  for (const cv::Mat* channel : {&photo.paper, &photo.grey}) {
    cv::Mat smooth;
    cv::GaussianBlur(*channel, smooth, {}, 1.0);
    add_light_regions(smooth, neighbourhood, masks);
    add_edges(smooth, masks);
  }
  return masks;
}

/// The corners of a convex outline, where it has four but for small cuts.
void add_corners(const std::vector<cv::Point>& hull, std::vector<Quad>& quads) {
  const double length = cv::arcLength(hull, true);
  for (const double tolerance : {0.02, 0.04, 0.06}) {  // of the outline; a card's round corners are 0.01 of it
    std::vector<cv::Point> corners;
    cv::approxPolyDP(hull, corners, tolerance * length, true);
    if (corners.size() != 4) continue;
    quads.push_back({corners[0], corners[1], corners[2], corners[3]});
    return;
  }
}

/// The upright or turned rectangle around an outline that nearly fills it.
void add_rectangle(const std::vector<cv::Point>& hull, std::vector<Quad>& quads) {
  const cv::RotatedRect around = cv::minAreaRect(hull);
  if (cv::contourArea(hull) < 0.8 * around.size.area()) return;
  cv::Point2f corners[4];
  around.points(corners);
  quads.push_back({corners[0], corners[1], corners[2], corners[3]});
}

/// Whether a side is only where the picture ends.
bool lies_on_border(const Quad& quad, const Photo& photo) {
  const double near = 0.012 * photo.longer_side();
  for (std::size_t i = 0; i < 4; ++i) {
    const cv::Point2d &a = quad[i], &b = quad[(i + 1) % 4];
    const auto both = [&](double first, double second, double border) {
      return std::abs(first - border) < near && std::abs(second - border) < near;
    };
    if (both(a.x, b.x, 0) || both(a.x, b.x, photo.width() - 1) || both(a.y, b.y, 0) ||
        both(a.y, b.y, photo.height() - 1))
      return true;
  }
  return false;
}

}  // namespace

std::vector<Quad> quads_of_regions(const Photo& photo) {
  std::vector<Quad> quads;
  for (const cv::Mat& mask : masks_of(photo)) {
    std::vector<std::vector<cv::Point>> outlines;
    cv::findContours(mask, outlines, cv::RETR_LIST, cv::CHAIN_APPROX_SIMPLE);
    for (const auto& outline : outlines) {
      const double box = cv::boundingRect(outline).area();
      if (outline.size() < 4 || box < kLeastShare * photo.pixels() || box > kMostShare * photo.pixels()) continue;
      std::vector<cv::Point> hull;
      cv::convexHull(outline, hull);
      if (cv::contourArea(hull) < kLeastShare * photo.pixels()) continue;
      add_corners(hull, quads);
      add_rectangle(hull, quads);
    }
  }
  std::erase_if(quads, [&](const Quad& quad) { return lies_on_border(quad, photo); });
  return quads;
}

}  // namespace cudacards
