#include "host/scene/outline.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace cudacards {
namespace {

constexpr std::size_t kPlaces = 32;    // a side
constexpr double kCornerShare = 0.06;  // of a side at either end: round corners
constexpr double kAlongside = 0.92;    // cosine between an edge's slope and the outline's normal: 23 degrees
constexpr double kLeastSlope = 2.5;    // grey levels a pixel: above the noise
constexpr double kStrongSlope = 40;    // steeper ones are no better
constexpr double kRim = 0.035;         // of a card's width: 2 mm, paper on every card
constexpr std::size_t kLeastPlaces = 4;

/// What an outline's place finds on the short way across it.
struct Place {
  cv::Point2d at;
  bool seen = false;
  bool lighter = false, darker = false;  // there is an edge, and the card's side of it is the lighter, darker one
  double to_lighter = 0, to_darker = 0;  // how far outwards it lies
};
using Side = std::array<Place, kPlaces>;

cv::Point2d outward(const Quad& quad, std::size_t side) {
  const cv::Point2d along = quad[(side + 1) % 4] - quad[side];
  return cv::Point2d(along.y, -along.x) / cv::norm(along);
}

bool is_within(const Photo& photo, const cv::Point2d& p) {
  return p.x >= 1 && p.y >= 1 && p.x < photo.width() - 1 && p.y < photo.height() - 1;
}

bool is_covered(const cv::Point2d& p, std::span<const Quad> above) {
  return std::any_of(above.begin(), above.end(), [&](const Quad& card) { return distance_outside(card, p) < 1; });
}

void look_across(const Photo& photo, const cv::Point2d& normal, double reach, Place& place) {
  double best_lighter = 0, best_darker = 0;
  const double patience = 2.4 / reach;  // what a pixel's distance costs, in levels a pixel
  for (double offset = -reach; offset <= reach + 0.01; offset += 1) {
    const cv::Point2d p = place.at + normal * offset;
    const int x = cvRound(p.x), y = cvRound(p.y);
    if (x < 1 || y < 1 || x >= photo.width() - 1 || y >= photo.height() - 1) continue;
    const double slope_x = photo.slope_x.at<float>(y, x), slope_y = photo.slope_y.at<float>(y, x);
    const double steepness = std::hypot(slope_x, slope_y), outwards = slope_x * normal.x + slope_y * normal.y;
    if (steepness <= kLeastSlope || std::abs(outwards) <= kAlongside * steepness) continue;
    const double worth = std::min(std::abs(outwards), kStrongSlope) - patience * std::abs(offset);
    double& best = outwards < 0 ? best_lighter : best_darker;
    if (worth <= best) continue;
    best = worth;
    (outwards < 0 ? place.lighter : place.darker) = true;
    (outwards < 0 ? place.to_lighter : place.to_darker) = offset;
  }
}

Side look_along(const Photo& photo, const Quad& quad, std::size_t side, double reach, std::span<const Quad> above) {
  const cv::Point2d from = quad[side], to = quad[(side + 1) % 4], normal = outward(quad, side);
  Side places;
  for (std::size_t i = 0; i < kPlaces; ++i) {
    const double share = kCornerShare + (1 - 2 * kCornerShare) * static_cast<double>(i) / (kPlaces - 1);
    places[i].at = from + (to - from) * share;
    places[i].seen = is_within(photo, places[i].at) && !is_covered(places[i].at, above);
    if (places[i].seen) look_across(photo, normal, reach, places[i]);
  }
  return places;
}

template <class Which>
std::size_t count(const Side& side, Which&& which) {
  return static_cast<std::size_t>(std::count_if(side.begin(), side.end(), which));
}

bool is_seen(const Place& place) { return place.seen; }
bool is_lighter(const Place& place) { return place.lighter; }
bool is_darker(const Place& place) { return place.darker; }

double reach_of(const Quad& quad, double share) { return std::max(2.0, share * std::sqrt(area(quad))); }

/// The third quartile of the rim's distance from its median, over that median.
double rim_unevenness(const Photo& photo, const Side& side, const cv::Point2d& inwards) {
  std::vector<int> grey;
  for (const Place& place : side) {
    const cv::Point2d p = place.at + inwards;
    if (place.seen && is_within(photo, p)) grey.push_back(photo.grey.at<std::uint8_t>(cvRound(p.y), cvRound(p.x)));
  }
  if (grey.size() <= kLeastPlaces) return -1;
  const auto middle = grey.begin() + static_cast<std::ptrdiff_t>(grey.size() / 2);
  std::nth_element(grey.begin(), middle, grey.end());
  const int median = *middle;
  for (int& value : grey) value = std::abs(value - median);
  const auto quartile = grey.begin() + static_cast<std::ptrdiff_t>(grey.size() * 3 / 4);
  std::nth_element(grey.begin(), quartile, grey.end());
  return static_cast<double>(*quartile) / std::max(median, 10);
}

/// A line through a point in a direction.
struct Line {
  cv::Point2d at, direction;
};

Line through(const std::vector<cv::Point2f>& points, int distance) {
  cv::Vec4f line;
  cv::fitLine(points, line, distance, 0, 0.01, 0.01);
  return {{line[2], line[3]}, {line[0], line[1]}};
}

/// The line that most of the edge's places lie on.
Line edge_along(const Side& side, const cv::Point2d& normal, const Line& fallback) {
  const bool lighter =
      static_cast<double>(count(side, is_lighter)) >= 0.8 * static_cast<double>(count(side, is_darker));
  std::vector<cv::Point2f> points;
  for (const Place& place : side) {
    if (lighter ? place.lighter : place.darker)
      points.emplace_back(place.at + normal * (lighter ? place.to_lighter : place.to_darker));
  }
  constexpr std::size_t kLeast = 6;
  if (points.size() < kLeast) return fallback;
  const Line rough = through(points, cv::DIST_HUBER);
  std::vector<double> off;
  for (const cv::Point2f& p : points) off.push_back(std::abs((cv::Point2d(p) - rough.at).cross(rough.direction)));
  std::vector<double> sorted = off;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
  const double most = std::max(1.0, 2 * sorted[sorted.size() / 2]);
  std::vector<cv::Point2f> near;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (off[i] <= most) near.push_back(points[i]);
  return near.size() >= kLeast - 1 ? through(near, cv::DIST_L2) : rough;
}

Quad moved(const Photo& photo, const Quad& quad, std::span<const Quad> above, double reach) {
  std::array<Line, 4> lines;
  for (std::size_t i = 0; i < 4; ++i) {
    const Line here{quad[i], (quad[(i + 1) % 4] - quad[i]) / cv::norm(quad[(i + 1) % 4] - quad[i])};
    lines[i] = edge_along(look_along(photo, quad, i, reach, above), outward(quad, i), here);
  }
  Quad result;
  const double furthest = 0.2 * std::sqrt(area(quad));
  for (std::size_t i = 0; i < 4; ++i) {
    const Line &a = lines[(i + 3) % 4], &b = lines[i];
    const double turn = a.direction.cross(b.direction);
    if (std::abs(turn) < 0.3) return quad;
    result[i] = a.at + a.direction * ((b.at - a.at).cross(b.direction) / turn);
    if (cv::norm(result[i] - quad[i]) > furthest) return quad;
  }
  return result;
}

}  // namespace

Support support_of(const Photo& photo, const Quad& quad, std::span<const Quad> above) {
  Support support{.weakest_side = 1};
  const double reach = reach_of(quad, 0.02), rim = kRim * std::sqrt(area(quad) / kPokerSides);
  std::size_t seen = 0, edge = 0, lighter = 0;
  double unevenness = 0;
  int rims = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const Side side = look_along(photo, quad, i, reach, above);
    const std::size_t seen_here = count(side, is_seen), lighter_here = count(side, is_lighter);
    const std::size_t edge_here = std::max(lighter_here, count(side, is_darker));
    seen += seen_here;
    edge += edge_here;
    lighter += lighter_here;
    if (seen_here >= kLeastPlaces)
      support.weakest_side =
          std::min(support.weakest_side, static_cast<double>(edge_here) / static_cast<double>(seen_here));
    const double here = rim_unevenness(photo, side, outward(quad, i) * -rim);
    if (here < 0) continue;
    unevenness += here;
    ++rims;
  }
  if (seen == 0) return {};
  support.edge = static_cast<double>(edge) / static_cast<double>(seen);
  support.lighter = static_cast<double>(lighter) / static_cast<double>(seen);
  support.unevenness = rims > 0 ? unevenness / rims : 1;
  return support;
}

Quad moved_onto_edges(const Photo& photo, const Quad& quad, std::span<const Quad> above) {
  Quad result = quad;
  for (const double share : {0.06, 0.03}) {  // of the card's size: first from afar, then from near
    const Quad next = moved(photo, result, above, reach_of(result, share));
    if (next == result) break;
    result = next;
  }
  return result;
}

}  // namespace cudacards
