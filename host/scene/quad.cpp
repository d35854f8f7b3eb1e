#include "host/scene/quad.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace cudacards {
namespace {

constexpr double kLeastProportion = 1.15, kMostProportion = 1.85;  // of long to short sides, seen at a tilt
constexpr double kMostNarrowing = 1.35;                            // of opposite sides
constexpr double kMostLean = 0.5;                                  // cosine of a corner

double signed_area(const Quad& quad) {
  double twice = 0;
  for (std::size_t i = 0; i < 4; ++i) twice += quad[i].cross(quad[(i + 1) % 4]);
  return twice / 2;
}

std::array<double, 4> lengths(const Quad& quad) {
  std::array<double, 4> result{};
  for (std::size_t i = 0; i < 4; ++i) result[i] = cv::norm(quad[(i + 1) % 4] - quad[i]);
  return result;
}

bool is_convex(const Quad& quad) {
  for (std::size_t i = 0; i < 4; ++i) {
    const cv::Point2d side = quad[(i + 1) % 4] - quad[i], next = quad[(i + 2) % 4] - quad[(i + 1) % 4];
    if (side.cross(next) <= 0) return false;
  }
  return true;
}

double most_lean(const Quad& quad) {
  double most = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const cv::Point2d side = quad[(i + 1) % 4] - quad[i], next = quad[(i + 2) % 4] - quad[(i + 1) % 4];
    most = std::max(most, std::abs(side.dot(next)) / (cv::norm(side) * cv::norm(next)));
  }
  return most;
}

double narrowing(double a, double b) { return std::max(a, b) / std::min(a, b); }

}  // namespace

double area(const Quad& quad) { return std::abs(signed_area(quad)); }

cv::Point2d centre(const Quad& quad) { return (quad[0] + quad[1] + quad[2] + quad[3]) * 0.25; }

Quad ordered(const Quad& corners) {
  Quad quad = corners;
  if (signed_area(quad) < 0) std::reverse(quad.begin(), quad.end());
  const auto length = lengths(quad);
  if (length[0] + length[2] > length[1] + length[3]) std::rotate(quad.begin(), quad.begin() + 1, quad.end());
  return quad;
}

Sides sides(const Quad& quad) {
  const auto length = lengths(quad);
  return {(length[0] + length[2]) / 2, (length[1] + length[3]) / 2};
}

bool is_card_shaped(const Quad& quad) {
  if (!is_convex(quad)) return false;
  const auto length = lengths(quad);
  const double proportion = (length[1] + length[3]) / (length[0] + length[2]);
  return proportion >= kLeastProportion && proportion <= kMostProportion &&
         narrowing(length[0], length[2]) <= kMostNarrowing && narrowing(length[1], length[3]) <= kMostNarrowing &&
         most_lean(quad) <= kMostLean;
}

std::vector<cv::Point2f> as_polygon(const Quad& quad) { return {quad.begin(), quad.end()}; }

double shared_area(const Quad& a, const Quad& b) {
  std::vector<cv::Point2f> common;
  return cv::intersectConvexConvex(as_polygon(a), as_polygon(b), common);
}

bool same_place(const Quad& a, const Quad& b, double share) {
  const double most = share * std::sqrt(area(a));
  const cv::Point2d apart = centre(a) - centre(b);
  if (std::max(std::abs(apart.x), std::abs(apart.y)) > most) return false;
  for (std::size_t turn = 0; turn < 4; ++turn) {
    bool all = true;
    for (std::size_t i = 0; i < 4 && all; ++i) {
      const cv::Point2d d = a[i] - b[(i + turn) % 4];
      all = std::abs(d.x) <= most && std::abs(d.y) <= most;
    }
    if (all) return true;
  }
  return false;
}

double distance_outside(const Quad& quad, const cv::Point2d& point) {
  double furthest = -1e9;
  for (std::size_t i = 0; i < 4; ++i) {
    const cv::Point2d side = quad[(i + 1) % 4] - quad[i];
    furthest = std::max(furthest, (point - quad[i]).cross(side) / cv::norm(side));
  }
  return furthest;
}

void remove_repeated(std::vector<Quad>& quads) {
  std::vector<Quad> kept;
  for (const Quad& quad : quads) {
    const bool seen =
        std::any_of(kept.begin(), kept.end(), [&](const Quad& other) { return same_place(quad, other, kSamePlace); });
    if (!seen) kept.push_back(quad);
  }
  quads = std::move(kept);
}

}  // namespace cudacards
