#include "host/data/deck/path.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "host/runtime/error.h"

namespace cudacards {
namespace {

constexpr int kCurvePieces = 10;  // a curve on a card spans tens of pixels
constexpr int kCirclePieces = 28;
constexpr int kFractionBits = 5;  // of a pixel, in the polygon filler

Point cubic(Point p0, Point p1, Point p2, Point p3, double t) {
  const double s = 1 - t;
  return s * s * s * p0 + 3 * s * s * t * p1 + 3 * s * t * t * p2 + t * t * t * p3;
}

class PathReader {
 public:
  explicit PathReader(std::string_view data) : rest_(data) {}

  bool next_command(char& command) {
    skip_spaces();
    if (rest_.empty()) return false;
    command = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }

  Point point() {
    const double x = number();
    return {x, number()};
  }

 private:
  void skip_spaces() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }

  double number() {
    skip_spaces();
    double value = 0;
    const auto [end, problem] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    CUDACARDS_CHECK(problem == std::errc{}, "path data: a number is missing at: " + std::string(rest_));
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  std::string_view rest_;
};

}  // namespace

Path parse_path(std::string_view data) {
  Path path;
  PathReader reader(data);
  for (char command; reader.next_command(command);) {
    CUDACARDS_CHECK(command == 'M' || !path.empty(), "path data begins with M");
    switch (command) {
      case 'M':
        path.push_back({{reader.point()}, Ends::kOpen});
        break;
      case 'L':
        path.back().points.push_back(reader.point());
        break;
      case 'C': {
        auto& points = path.back().points;
        const Point p0 = points.back(), p1 = reader.point(), p2 = reader.point(), p3 = reader.point();
        for (int i = 1; i <= kCurvePieces; ++i) points.push_back(cubic(p0, p1, p2, p3, i / double{kCurvePieces}));
        break;
      }
      case 'Z':
        path.back().ends = Ends::kClosed;
        break;
      default:
        CUDACARDS_CHECK(false, std::string("path data: unknown command ") + command);
    }
  }
  return path;
}

Path ellipse(Point centre, double radius_x, double radius_y) {
  Contour contour{{}, Ends::kClosed};
  for (int i = 0; i < kCirclePieces; ++i) {
    const double angle = 2 * std::numbers::pi * i / kCirclePieces;
    contour.points.push_back({centre.x + radius_x * std::cos(angle), centre.y + radius_y * std::sin(angle)});
  }
  return {contour};
}

Path circle(Point centre, double radius) { return ellipse(centre, radius, radius); }

Path rounded_rectangle(Point low, Point high, double radius) {
  Contour contour{{}, Ends::kClosed};
  const Point corners[] = {{high.x - radius, high.y - radius},
                           {low.x + radius, high.y - radius},
                           {low.x + radius, low.y + radius},
                           {high.x - radius, low.y + radius}};
  constexpr int kPieces = 6;
  for (int corner = 0; corner < 4; ++corner) {
    for (int i = 0; i <= kPieces; ++i) {
      const double angle = std::numbers::pi / 2 * (corner + i / double{kPieces});
      contour.points.push_back(
          {corners[corner].x + radius * std::cos(angle), corners[corner].y + radius * std::sin(angle)});
    }
  }
  return {contour};
}

Affine Affine::operator*(const Affine& inner) const {
  const Point origin = (*this)({inner.e, inner.f});
  return {a * inner.a + c * inner.b,
          b * inner.a + d * inner.b,
          a * inner.c + c * inner.d,
          b * inner.c + d * inner.d,
          origin.x,
          origin.y};
}

Affine Affine::rotate(double degrees) {
  const double angle = degrees * std::numbers::pi / 180;
  return {std::cos(angle), std::sin(angle), -std::sin(angle), std::cos(angle), 0, 0};
}

Path transformed(const Affine& transform, Path path) {
  for (Contour& contour : path) {
    for (Point& p : contour.points) p = transform(p);
  }
  return path;
}

void Canvas::fill_polygon(const std::vector<Point>& polygon, const Colour& colour) const {
  std::vector<cv::Point> fixed;
  fixed.reserve(polygon.size());
  for (const Point& p : polygon) {
    const Point q = transform_(p);
    fixed.emplace_back(static_cast<int>(std::lround(q.x * (1 << kFractionBits))),
                       static_cast<int>(std::lround(q.y * (1 << kFractionBits))));
  }
  const cv::Point* points = fixed.data();
  const int count = static_cast<int>(fixed.size());
  cv::fillPoly(*image_, &points, &count, 1, cv::Scalar(colour.r, colour.g, colour.b), cv::LINE_AA, kFractionBits);
}

void Canvas::fill(const Path& path, const Colour& colour) const {
  for (const Contour& contour : path) fill_polygon(contour.points, colour);
}

void Canvas::stroke(const Path& path, const Pen& pen, const Colour& colour, Caps caps) const {
  for (const Contour& contour : path) {
    std::vector<Point> points = contour.points;
    if (contour.ends == Ends::kClosed) points.push_back(points.front());
    for (std::size_t i = 0; i + 1 < points.size(); ++i) {
      // In units of the nib the nib is a circle of diameter 1, and a piece of the stroke a rectangle.
      const Point step = points[i + 1] - points[i];
      const Point along{step.x / pen.width_x, step.y / pen.width_y};
      const double length = std::hypot(along.x, along.y);
      if (length == 0) continue;
      const Point side{-along.y / length / 2 * pen.width_x, along.x / length / 2 * pen.width_y};
      fill_polygon({points[i] + side, points[i + 1] + side, points[i + 1] - side, points[i] - side}, colour);
    }
    const bool bare_ends = caps == Caps::kButt && contour.ends == Ends::kOpen;
    for (std::size_t i = bare_ends ? 1 : 0; i + (bare_ends ? 1 : 0) < points.size(); ++i) {
      std::vector<Point> disc;
      constexpr int kPieces = 12;
      for (int k = 0; k < kPieces; ++k) {
        const double angle = 2 * std::numbers::pi * k / kPieces;
        disc.push_back(
            {points[i].x + pen.width_x / 2 * std::cos(angle), points[i].y + pen.width_y / 2 * std::sin(angle)});
      }
      fill_polygon(disc, colour);
    }
  }
}

void Canvas::outlined(const Path& path, const Colour& inside, double width, const Colour& line) const {
  fill(path, inside);
  stroke(path, width, line);
}

}  // namespace cudacards
