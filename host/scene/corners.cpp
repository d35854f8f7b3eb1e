#include "host/scene/corners.h"

#include <algorithm>
#include <cmath>

namespace cudacards {
namespace {

constexpr double kLeastSide = 0.05;         // of the picture's longer side
constexpr double kSquarest = 0.42;          // cosine of the angle between two sides at a corner: 65 to 115 degrees
constexpr double kNearEnd = 0.08;           // of a side's length: round corners belong to neither side
constexpr double kNearEndOfPicture = 0.01;  // and of the picture's
constexpr double kParallel = 0.93;          // cosine
constexpr double kLeastArm = 0.12, kLeastLongArm = 0.2;  // of a side that leaves a corner, what must be seen of it
constexpr double kNearKnownSize = 1.25;

/// A segment that leaves a corner.
struct Arm {
  cv::Point2d corner, direction;
  double length = 0;
  std::size_t segment = 0;
};

/// What leaves a segment at its ends, on either side.
struct Ends {
  std::vector<Arm> arms[2];  // at `from`, at `to`
};

class SideQuads {
 public:
  SideQuads(const std::vector<Segment>& segments, double longer_side, const std::optional<Sides>& known)
      : segments_(segments), size_(longer_side), known_(known) {
    for (std::size_t i = 0; i < segments.size(); ++i) ends_.push_back(ends_of(i));
  }

  std::vector<Quad> all() {
    for (std::size_t i = 0; i < segments_.size(); ++i) {
      if (segments_[i].length() >= kLeastSide * size_) add_sides(i);
      if (known_) add_corners(i);
    }
    return std::move(quads_);
  }

 private:
  Ends ends_of(std::size_t i) const {
    Ends ends;
    const Segment& side = segments_[i];
    const cv::Point2d along = side.direction();
    const double length = side.length(), near = kNearEnd * length + kNearEndOfPicture * size_;
    const double beyond = 2 * kNearEndOfPicture * size_;
    for (std::size_t j = 0; j < segments_.size(); ++j) {
      const cv::Point2d across = segments_[j].direction();
      const double turn = along.cross(across);
      if (j == i || std::abs(along.dot(across)) > kSquarest) continue;
      const cv::Point2d apart = segments_[j].from - side.from;
      const double at = apart.cross(across) / turn;       // of the crossing, along the side
      const double at_other = apart.cross(along) / turn;  // and along the other
      const double other = segments_[j].length();
      const Arm arm{side.from + along * at, across, other - std::max(at_other, 0.0), j};
      const Arm back{arm.corner, -across, std::min(at_other, other), j};
      for (const int end : {0, 1}) {
        if (std::abs(end == 0 ? at : length - at) > near) continue;
        // A side that goes on beyond the crossing leaves it both ways: cards side by side have one long edge.
        if (at_other < other - beyond && at_other > -0.1 * other - beyond) ends.arms[end].push_back(arm);
        if (at_other > beyond && at_other < 1.1 * other + beyond) ends.arms[end].push_back(back);
      }
    }
    return ends;
  }

  /// What the side between the corners can be, and how long the other sides are then.
  std::vector<double> heights(double base, const Arm& a, const Arm& b) const {
    const double shorter = std::min(a.length, b.length), longer = std::max(a.length, b.length);
    std::vector<double> result;
    if (known_) {
      const auto near = [](double ratio) { return ratio > 1 / kNearKnownSize && ratio < kNearKnownSize; };
      if (near(base / known_->width)) result.push_back(base / known_->width * known_->height);
      if (near(base / known_->height)) result.push_back(base / known_->height * known_->width);
      return result;
    }
    result = {base * kPokerSides, base / kPokerSides, base * kBridgeSides};
    if (shorter > 0.7 * longer) result.push_back((shorter + longer) / 2);
    return result;
  }

  void add_sides(std::size_t i) {
    for (const Arm& a : ends_[i].arms[0]) {
      for (const Arm& b : ends_[i].arms[1]) {
        if (a.direction.dot(b.direction) < kParallel) continue;
        const double base = cv::norm(b.corner - a.corner);
        if (base < kLeastSide * size_) continue;
        for (const double height : heights(base, a, b)) {
          if (std::min(a.length, b.length) < kLeastArm * height ||
              std::max(a.length, b.length) < kLeastLongArm * height)
            continue;
          quads_.push_back({a.corner, b.corner, b.corner + b.direction * height, a.corner + a.direction * height});
        }
      }
    }
  }

  void add_corners(std::size_t i) {
    for (const int end : {0, 1}) {
      const cv::Point2d along = segments_[i].direction() * (end == 0 ? 1 : -1);
      for (const Arm& arm : ends_[i].arms[end]) {
        add_corner(arm, along, segments_[i].length(), known_->width, known_->height);
        add_corner(arm, along, segments_[i].length(), known_->height, known_->width);
      }
    }
  }

  void add_corner(const Arm& arm, const cv::Point2d& along, double seen, double side, double other) {
    if (seen > 1.15 * side || seen < kLeastLongArm * side || arm.length < kLeastLongArm * other) return;
    const cv::Point2d x = along * side, y = arm.direction * other;
    quads_.push_back({arm.corner, arm.corner + x, arm.corner + x + y, arm.corner + y});
  }

  const std::vector<Segment>& segments_;
  double size_;
  std::optional<Sides> known_;
  std::vector<Ends> ends_;
  std::vector<Quad> quads_;
};

}  // namespace

std::vector<Quad> quads_of_sides(const std::vector<Segment>& segments, double longer_side,
                                 const std::optional<Sides>& known) {
  return SideQuads(segments, longer_side, known).all();
}

}  // namespace cudacards
