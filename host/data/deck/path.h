#pragma once
// Vector shapes and the canvas that they are drawn on. x grows to the right, y downwards.

#include <algorithm>
#include <cstdint>
#include <opencv2/core.hpp>
#include <string_view>
#include <vector>

namespace cudacards {

using Point = cv::Point2d;

struct Colour {
  double r = 0, g = 0, b = 0;  // 0 to 255
};
/// Rounded, and cut off at 0 and 255. (std::lround is a slow library call.)
inline std::uint8_t to_byte(double value) { return static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0) + 0.5); }

inline Colour mix(const Colour& a, const Colour& b, double share) {
  return {a.r + (b.r - a.r) * share, a.g + (b.g - a.g) * share, a.b + (b.b - a.b) * share};
}

enum class Ends { kOpen, kClosed };

struct Contour {
  std::vector<Point> points;
  Ends ends = Ends::kOpen;
};

/// Contours with their curves flattened to straight pieces.
using Path = std::vector<Contour>;

/// Path data in a subset of SVG's: absolute "M x y", "L x y", "C x y x y x y", "Z", numbers apart by spaces.
Path parse_path(std::string_view data);
Path ellipse(Point centre, double radius_x, double radius_y);
Path rounded_rectangle(Point low, Point high, double radius);
Path circle(Point centre, double radius);

/// x' = a x + c y + e, y' = b x + d y + f.
struct Affine {
  double a = 1, b = 0, c = 0, d = 1, e = 0, f = 0;

  Point operator()(Point p) const { return {a * p.x + c * p.y + e, b * p.x + d * p.y + f}; }
  /// First `inner`, then this.
  Affine operator*(const Affine& inner) const;
  static Affine translate(double x, double y) { return {1, 0, 0, 1, x, y}; }
  static Affine scale(double x, double y) { return {x, 0, 0, y, 0, 0}; }
  static Affine rotate(double degrees);
  static Affine shear(double x_per_y) { return {1, 0, x_per_y, 1, 0, 0}; }
};

Path transformed(const Affine& transform, Path path);

/// A stroke's nib: an upright ellipse, so that upright strokes may be thicker than level ones.
struct Pen {
  double width_x = 1, width_y = 1;
};
enum class Caps { kRound, kButt };

/// Draws with antialiasing on an RGB picture, in the units of its transform.
class Canvas {
 public:
  Canvas(cv::Mat& image, const Affine& transform) : image_(&image), transform_(transform) {}

  /// The same picture, in units placed by `inner` within this canvas' units.
  Canvas within(const Affine& inner) const { return {*image_, transform_ * inner}; }

  /// The union of the contours.
  void fill(const Path& path, const Colour& colour) const;
  void stroke(const Path& path, const Pen& pen, const Colour& colour, Caps caps = Caps::kRound) const;
  void stroke(const Path& path, double width, const Colour& colour) const { stroke(path, Pen{width, width}, colour); }
  /// Fill, then the outline in its own colour.
  void outlined(const Path& path, const Colour& inside, double width, const Colour& line) const;

  cv::Mat& image() const { return *image_; }
  const Affine& transform() const { return transform_; }

 private:
  void fill_polygon(const std::vector<Point>& polygon, const Colour& colour) const;

  cv::Mat* image_;
  Affine transform_;
};

}  // namespace cudacards
