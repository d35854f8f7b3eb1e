#include "host/data/augment.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "host/runtime/error.h"
#include "kernels/base/philox.h"

namespace cudacards {
namespace {

/// Row-major 3 x 3: a homography of points (x, y, 1).
struct Matrix {
  std::array<double, 9> m = {1, 0, 0, 0, 1, 0, 0, 0, 1};

  friend Matrix operator*(const Matrix& a, const Matrix& b) {
    Matrix product;
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t column = 0; column < 3; ++column) {
        product.m[3 * row + column] =
            a.m[3 * row] * b.m[column] + a.m[3 * row + 1] * b.m[3 + column] + a.m[3 * row + 2] * b.m[6 + column];
      }
    }
    return product;
  }
};

struct Point {
  double x = 0, y = 0;
};

Matrix translation(double x, double y) { return {{1, 0, x, 0, 1, y, 0, 0, 1}}; }
Matrix scaling(double x, double y) { return {{x, 0, 0, 0, y, 0, 0, 0, 1}}; }
Matrix rotation(double radians) {
  const double c = std::cos(radians), s = std::sin(radians);
  return {{c, -s, 0, s, c, 0, 0, 0, 1}};
}

/// The homography that takes the unit square's corners (0,0), (1,0), (1,1), (0,1) to `corner`. Source: Heckbert,
/// "Fundamentals of texture mapping and image warping", 1989, section 2.2.3.
Matrix square_to_quad(const std::array<Point, 4>& corner) {
  const Point d1{corner[1].x - corner[2].x, corner[1].y - corner[2].y};
  const Point d2{corner[3].x - corner[2].x, corner[3].y - corner[2].y};
  const Point sum{corner[0].x - corner[1].x + corner[2].x - corner[3].x,
                  corner[0].y - corner[1].y + corner[2].y - corner[3].y};
  const double determinant = d1.x * d2.y - d2.x * d1.y;
  const double g = (sum.x * d2.y - d2.x * sum.y) / determinant;
  const double h = (d1.x * sum.y - sum.x * d1.y) / determinant;
  return {{corner[1].x - corner[0].x + g * corner[1].x, corner[3].x - corner[0].x + h * corner[3].x, corner[0].x,
           corner[1].y - corner[0].y + g * corner[1].y, corner[3].y - corner[0].y + h * corner[3].y, corner[0].y, g, h,
           1}};
}

/// This picture's random numbers, each with its fixed place, so that switching one augmentation on leaves the others as
/// they were.
class Draws {
 public:
  enum Place : std::uint32_t {
    kRotation,
    kScale,
    kShiftX,
    kShiftY,
    kCorners,  // eight numbers
    kBrightness = kCorners + 8,
    kContrast,
    kBlur,
    kBlurSigma,
    kErase,
    kEraseArea,
    kEraseAspect,
    kEraseX,
    kEraseY,
    kEraseColour,
  };

  Draws(std::uint64_t seed, std::uint64_t epoch, std::uint64_t index)
      : seed_(seed), epoch_(epoch), index_(static_cast<std::uint32_t>(index)) {}

  std::uint32_t word(std::uint32_t place) const {
    return random4(seed_, RandomPurpose::kAugment, epoch_, index_, place / 4).v[place % 4];
  }
  /// In [0, 1).
  double share(std::uint32_t place) const { return static_cast<double>(uniform01(word(place))); }
  /// In [-range, range).
  double within(std::uint32_t place, float range) const { return (2 * share(place) - 1) * static_cast<double>(range); }

 private:
  std::uint64_t seed_, epoch_;
  std::uint32_t index_;
};

std::array<float, 9> draw_homography(const AugmentOptions& options, const Draws& draws, int height, int width) {
  constexpr std::array<Point, 4> kSquare = {{{0, 0}, {1, 0}, {1, 1}, {0, 1}}};
  std::array<Point, 4> quad = kSquare;
  for (std::uint32_t i = 0; i < 4; ++i) {
    quad[i].x += draws.within(Draws::kCorners + 2 * i, options.perspective);
    quad[i].y += draws.within(Draws::kCorners + 2 * i + 1, options.perspective);
  }
  const double zoom = 1 + draws.within(Draws::kScale, options.scale);
  const double radians = draws.within(Draws::kRotation, options.rotation_degrees) * std::numbers::pi / 180;
  const double shift_x = draws.within(Draws::kShiftX, options.shift) * width;
  const double shift_y = draws.within(Draws::kShiftY, options.shift) * height;

  // From right to left: undo the shift, about the picture's centre undo zoom and rotation, then bend the square of the
  // picture's edges (half a pixel outside the outermost centres).
  const double centre_x = 0.5 * (width - 1), centre_y = 0.5 * (height - 1);
  Matrix map = scaling(1 / zoom, 1 / zoom) * translation(-centre_x - shift_x, -centre_y - shift_y);
  map = translation(centre_x, centre_y) * rotation(-radians) * map;
  if (options.perspective > 0) {
    const Matrix to_unit = scaling(1.0 / width, 1.0 / height) * translation(0.5, 0.5);
    const Matrix from_unit = translation(-0.5, -0.5) * scaling(width, height);
    map = from_unit * square_to_quad(quad) * to_unit * map;
  }
  std::array<float, 9> result;
  std::transform(map.m.begin(), map.m.end(), result.begin(), [](double value) { return static_cast<float>(value); });
  return result;
}

ImageTransform::Rectangle draw_rectangle(const AugmentOptions& options, const Draws& draws, int height, int width) {
  constexpr double kSmallest = 0.02, kFlattest = 0.3;  // share of the area; aspect from 0.3 to 1 / 0.3
  const double largest = std::max(static_cast<double>(options.erase_area), kSmallest);
  const double area = (kSmallest + (largest - kSmallest) * draws.share(Draws::kEraseArea)) * height * width;
  const double aspect = std::exp((2 * draws.share(Draws::kEraseAspect) - 1) * -std::log(kFlattest));
  const int w = std::clamp(static_cast<int>(std::lround(std::sqrt(area * aspect))), 1, width);
  const int h = std::clamp(static_cast<int>(std::lround(std::sqrt(area / aspect))), 1, height);
  return {.x = static_cast<int>(draws.share(Draws::kEraseX) * (width - w + 1)),
          .y = static_cast<int>(draws.share(Draws::kEraseY) * (height - h + 1)),
          .width = w,
          .height = h};
}

void check_range(const char* name, float value, float limit) {
  if (!(value >= 0 && value <= limit))
    throw UsageError(fmt::format("augmentation: {} must be from 0 to {:g}, got {:g}", name, limit, value));
}

}  // namespace

bool AugmentOptions::enabled() const {
  return rotation_degrees > 0 || scale > 0 || shift > 0 || perspective > 0 || brightness > 0 || contrast > 0 ||
         blur_probability > 0 || erase_probability > 0;
}

void validate(const AugmentOptions& options) {
  check_range("rotation_degrees", options.rotation_degrees, 180);
  check_range("scale", options.scale, 0.9f);
  check_range("shift", options.shift, 1);
  check_range("perspective", options.perspective, 0.2f);  // from a quarter on, corners can fold the picture
  check_range("brightness", options.brightness, 1);
  check_range("contrast", options.contrast, 1);
  check_range("blur_probability", options.blur_probability, 1);
  check_range("blur_sigma", options.blur_sigma, 10);
  check_range("erase_probability", options.erase_probability, 1);
  check_range("erase_area", options.erase_area, 1);
}

ImageTransform draw_transform(const AugmentOptions& options, std::uint64_t seed, std::uint64_t epoch,
                              std::uint64_t index, int height, int width) {
  ImageTransform transform;
  if (!options.enabled()) return transform;
  const Draws draws(seed, epoch, index);
  transform.is_identity = false;
  transform.source_from_destination = draw_homography(options, draws, height, width);
  transform.brightness = static_cast<float>(255 * draws.within(Draws::kBrightness, options.brightness));
  transform.contrast = static_cast<float>(1 + draws.within(Draws::kContrast, options.contrast));
  if (draws.share(Draws::kBlur) < static_cast<double>(options.blur_probability)) {
    transform.blur_sigma = static_cast<float>(draws.share(Draws::kBlurSigma)) * options.blur_sigma;
  }
  if (draws.share(Draws::kErase) < static_cast<double>(options.erase_probability)) {
    transform.erase = draw_rectangle(options, draws, height, width);
    const std::uint32_t colour = draws.word(Draws::kEraseColour);
    for (std::uint32_t c = 0; c < 3; ++c) transform.erase_colour[c] = static_cast<std::uint8_t>(colour >> 8 * c);
  }
  return transform;
}

}  // namespace cudacards
