#pragma once
// How a camera was held: the eight values of EXIF's orientation tag, named by where the stored picture's first row and
// first column are in the upright one.

#include <cstdint>

#include "host/data/image.h"

namespace cudacards {

enum class Orientation : std::uint8_t {
  kUpright = 1,           // row 0 is the top, column 0 the left side
  kMirrored = 2,          // top, right
  kHalfTurn = 3,          // bottom, right
  kFlipped = 4,           // bottom, left
  kTransposed = 5,        // left, top
  kQuarterTurn = 6,       // right, top: turn clockwise to see it upright
  kTransversed = 7,       // right, bottom
  kThreeQuarterTurn = 8,  // left, bottom
};

constexpr bool swaps_sides(Orientation orientation) { return orientation >= Orientation::kTransposed; }

/// The picture turned (and mirrored) so that its top is row 0.
Image upright(Image stored, Orientation orientation);

}  // namespace cudacards
