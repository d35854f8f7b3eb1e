#include "host/data/deck/scene_layout.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <optional>

namespace cudacards {
namespace {

constexpr float kMargin = 8;    // pixels between a card and the picture's edge
constexpr int kPatience = 400;  // places tried for a card before all of them are made smaller

enum class Lying { kScattered, kTouching, kInRows };

/// A table seen from above its edge: what is far away is smaller.
cv::Matx33d draw_camera(cv::Size size, DeckRandom& random) {
  const auto width = static_cast<float>(size.width), height = static_cast<float>(size.height);
  const auto narrowing = static_cast<float>(random.uniform(0, 0.09)) * width,
             lean = static_cast<float>(random.uniform(-0.03, 0.03)) * width;
  const cv::Point2f table[] = {{0, 0}, {width, 0}, {width, height}, {0, height}};
  const cv::Point2f seen[] = {
      {narrowing + lean, 0}, {width - narrowing + lean, 0}, {width + narrowing, height}, {-narrowing, height}};
  return cv::getPerspectiveTransform(table, seen);
}

struct Lie {
  Point centre;
  double degrees = 0;
};

Corners corners_of(const Lie& lie, double width, double height, const cv::Matx33d& camera) {
  static const Point kCorners[] = {{-0.5, -0.5}, {0.5, -0.5}, {0.5, 0.5}, {-0.5, 0.5}};
  const Affine place = Affine::translate(lie.centre.x, lie.centre.y) * Affine::rotate(lie.degrees);
  Corners corners;
  for (std::size_t i = 0; i < 4; ++i) {
    const Point at = place({kCorners[i].x * width, kCorners[i].y * height});
    const cv::Vec3d seen = camera * cv::Vec3d(at.x, at.y, 1);
    corners[i] = {static_cast<float>(seen[0] / seen[2]), static_cast<float>(seen[1] / seen[2])};
  }
  return corners;
}

std::vector<cv::Point2f> polygon(const Corners& corners) { return {corners.begin(), corners.end()}; }

bool is_inside(const Corners& corners, cv::Size size) {
  return std::all_of(corners.begin(), corners.end(), [&](const cv::Point2f& p) {
    return p.x >= kMargin && p.y >= kMargin && p.x <= size.width - kMargin && p.y <= size.height - kMargin;
  });
}

/// The share of the smaller card's area.
double overlap(const Corners& a, const Corners& b) {
  std::vector<cv::Point2f> common;
  const auto first = polygon(a), second = polygon(b);
  const double least = std::min(cv::contourArea(first), cv::contourArea(second));
  return cv::intersectConvexConvex(first, second, common) / least;
}

/// Whether a card may lie here beside the others, touching one at most.
bool fits(const Corners& corners, const std::vector<Corners>& others, double most_covered, cv::Size size) {
  if (!is_inside(corners, size)) return false;
  int touched = 0;
  for (const Corners& other : others) {
    const double share = overlap(corners, other);
    if (share > most_covered) return false;
    touched += share > 0 ? 1 : 0;
  }
  return touched <= 1;
}

class Table {
 public:
  Table(int count, double card_height, cv::Size size, double most_covered, DeckRandom& random)
      : count_(count),
        tallness_(card_height / 100),
        size_(size),
        most_covered_(most_covered),
        random_(random),
        camera_(draw_camera(size, random)) {}

  std::vector<Corners> lay() {
    // Cards that would cover a quarter to a half of the table, but none so large that one fills it.
    const double all = random_.uniform(0.22, 0.45) * size_.area();
    const double least_side = std::min(size_.width, size_.height);
    double width = std::min(std::sqrt(all / count_ / tallness_), random_.uniform(0.28, 0.4) * least_side);
    static constexpr double kLying[] = {0.5, 0.25, 0.25};
    const Lying lying = static_cast<Lying>(random_.weighted(kLying));
    for (;; width *= 0.93) {
      const auto corners = lying == Lying::kInRows ? rows(width) : scattered(width, lying == Lying::kTouching);
      if (corners) return *corners;
    }
  }

 private:
  std::optional<std::vector<Corners>> scattered(double width, bool touching) {
    std::vector<Corners> all;
    for (int tries = 0; static_cast<int>(all.size()) < count_; ++tries) {
      if (tries == kPatience) return std::nullopt;
      const Lie lie{{random_.uniform(0, size_.width), random_.uniform(0, size_.height)}, random_.uniform(-180, 180)};
      const Corners corners = corners_of(lie, width, width * tallness_, camera_);
      if (fits(corners, all, touching ? most_covered_ : 0, size_)) all.push_back(corners);
    }
    return all;
  }

  /// As a hand is laid out: side by side, nearly straight, nearly touching.
  std::optional<std::vector<Corners>> rows(double width) {
    const int columns = count_ <= 3 ? count_ : (count_ + 1) / 2;
    const double gap = width * random_.uniform(0.04, 0.3), turn = random_.uniform(-8, 8);
    const double step_x = width + gap, step_y = width * tallness_ + gap;
    const int lines = (count_ + columns - 1) / columns;
    std::vector<Corners> all;
    for (int i = 0; i < count_; ++i) {
      const double column = i % columns - (columns - 1) / 2.0, line = static_cast<int>(i / columns) - (lines - 1) / 2.0;
      const Point place = (Affine::translate(size_.width / 2.0, size_.height / 2.0) *
                           Affine::rotate(turn))({column * step_x, line * step_y});
      const Lie lie{place, turn + random_.uniform(-3, 3) + (random_.chance(0.5) ? 180 : 0)};
      const Corners corners = corners_of(lie, width, width * tallness_, camera_);
      if (!fits(corners, all, 0, size_)) return std::nullopt;
      all.push_back(corners);
    }
    return all;
  }

  int count_;
  double tallness_;
  cv::Size size_;
  double most_covered_;
  DeckRandom& random_;
  cv::Matx33d camera_;
};

}  // namespace

std::vector<Corners> draw_layout(int count, double card_height, cv::Size size, double most_covered,
                                 DeckRandom& random) {
  return Table(count, card_height, size, most_covered, random).lay();
}

}  // namespace cudacards
