#include "host/scene/segments.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

namespace cudacards {
namespace {

constexpr double kLeastLength = 0.03;  // of the picture's longer side: shorter ones are pips and grain
constexpr double kMostGap = 0.25;      // between two pieces, of the longer one's length
constexpr double kSameDirection = 0.99;

void add_segments(const cv::Mat& channel, double least, std::vector<Segment>& segments) {
  std::vector<cv::Vec4f> lines;
  cv::createLineSegmentDetector(cv::LSD_REFINE_STD)->detect(channel, lines);
  for (const cv::Vec4f& line : lines) {
    const Segment segment{{line[0], line[1]}, {line[2], line[3]}};
    if (segment.length() > least) segments.push_back(segment);
  }
}

/// Where a segment is along a line, and how far off it.
struct Span {
  double low = 0, high = 0, off = 0;
};

Span span_along(const Segment& line, const Segment& other) {
  const cv::Point2d direction = line.direction();
  const double a = (other.from - line.from).dot(direction), b = (other.to - line.from).dot(direction);
  return {
      std::min(a, b), std::max(a, b),
      std::max(std::abs((other.from - line.from).cross(direction)), std::abs((other.to - line.from).cross(direction)))};
}

/// `line` made longer by those that continue it; they are `used` then. Whether there was one.
bool extend(Segment& line, const std::vector<Segment>& segments, std::vector<bool>& used, double most_off) {
  const double length = line.length();
  const cv::Point2d direction = line.direction(), from = line.from;
  double low = 0, high = length;
  bool found = false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (used[i] || std::abs(segments[i].direction().dot(direction)) < kSameDirection) continue;
    const Span span = span_along(line, segments[i]);
    const double gap = std::max({span.low - length, -span.high, 0.0});
    if (span.off > most_off || gap > kMostGap * length) continue;
    used[i] = found = true;
    low = std::min(low, span.low);
    high = std::max(high, span.high);
  }
  line = {from + direction * low, from + direction * high};
  return found;
}

}  // namespace

std::vector<Segment> straight_edges(const Photo& photo) {
  std::vector<Segment> pieces;
  const double least = kLeastLength * photo.longer_side();
  if (least < 1) return pieces;
  add_segments(photo.grey, least, pieces);
  add_segments(photo.paper, least, pieces);
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Segment& a, const Segment& b) { return a.length() > b.length(); });
  std::vector<bool> used(pieces.size());
  std::vector<Segment> segments;
  const double most_off = 1 + 0.004 * photo.longer_side();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (used[i]) continue;
    used[i] = true;
    Segment line = pieces[i];
    while (extend(line, pieces, used, most_off)) {
    }
    segments.push_back(line);
  }
  return segments;
}

}  // namespace cudacards
