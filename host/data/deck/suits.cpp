#include "host/data/deck/suits.h"

#include "host/runtime/error.h"

namespace cudacards {
namespace {

/// Half of a closed outline, from top to bottom; the other half is its reflection.
Path symmetric(std::initializer_list<Point> cubic_points) {
  constexpr int kPieces = 10;
  const std::vector<Point> p(cubic_points);
  std::vector<Point> right{p[0]};
  for (std::size_t i = 0; i + 3 < p.size(); i += 3) {
    for (int k = 1; k <= kPieces; ++k) {
      const double t = k / double{kPieces}, s = 1 - t;
      right.push_back(s * s * s * p[i] + 3 * s * s * t * p[i + 1] + 3 * s * t * t * p[i + 2] + t * t * t * p[i + 3]);
    }
  }
  Contour outline{right, Ends::kClosed};
  for (std::size_t i = right.size(); i-- > 0;) outline.points.push_back({-right[i].x, right[i].y});
  return {outline};
}

Path heart(const SuitShapes& s) {
  const double wide = 0.84 + 0.16 * s.breadth;
  const double flank = 0.10 + 0.35 * s.fullness;
  return symmetric({{0, -0.60},
                    {0.08, -0.82},
                    {0.25, -1},
                    {0.52 * wide, -1},
                    {0.80 * wide, -1},
                    {wide, -0.78},
                    {wide, -0.40},
                    {wide, flank},
                    {0.22, 0.55},
                    {0, 1}});
}

Path stem(const SuitShapes& s, double top) {
  const double foot = 0.24 + 0.22 * s.foot;
  return symmetric({{0.05, top}, {0.06, 0.55}, {0.12, 0.85}, {foot, 1}});
}

Path spade(const SuitShapes& s) {
  // A heart on its head above a stem.
  Path path = transformed(Affine{1, 0, 0, -0.83, 0, -0.17}, heart(s));
  const Path foot = stem(s, 0.2);
  path.insert(path.end(), foot.begin(), foot.end());
  return path;
}

Path club(const SuitShapes& s) {
  const double radius = 0.42 + 0.05 * s.breadth;
  const double aside = 0.98 - radius;
  Path path = circle({0, -1 + radius}, radius);
  for (const double x : {-aside, aside}) {
    const Path leaf = circle({x, 0.16}, radius);
    path.push_back(leaf.front());
  }
  path.push_back({{{0, -0.4}, {0.35, 0.25}, {-0.35, 0.25}}, Ends::kClosed});
  const Path foot = stem(s, 0.1);
  path.push_back(foot.front());
  return path;
}

Path diamond(const SuitShapes& s) {
  const double wide = 0.66 + 0.22 * s.breadth;
  const double in = 0.28 * s.hollow;
  const Point upper = Point{wide / 2, -0.5} + in * Point{-wide / 2, 0.35};
  const Point lower{upper.x, -upper.y};
  return symmetric({{0, -1}, upper, upper, {wide, 0}, lower, lower, {0, 1}});
}

}  // namespace

Path suit_outline(Suit suit, const SuitShapes& shapes) {
  switch (suit) {
    case Suit::kClubs:
      return club(shapes);
    case Suit::kDiamonds:
      return diamond(shapes);
    case Suit::kHearts:
      return heart(shapes);
    case Suit::kSpades:
      return spade(shapes);
  }
  CUDACARDS_CHECK(false, "no such suit");
  return {};
}

}  // namespace cudacards
