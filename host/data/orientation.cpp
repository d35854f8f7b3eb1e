#include "host/data/orientation.h"

#include <cstring>
#include <utility>

namespace cudacards {
namespace {

// The stored pixel of upright (y, x) is (row, column) = origin + y * down + x * right, in bytes of the stored picture.
struct Walk {
  std::ptrdiff_t origin, down, right;
};

Walk walk_of(Orientation orientation, const Image& stored) {
  const std::ptrdiff_t column = 3;
  const std::ptrdiff_t row = column * stored.width;
  const std::ptrdiff_t last_column = column * (stored.width - 1);
  const std::ptrdiff_t last_row = row * (stored.height - 1);
  switch (orientation) {
    case Orientation::kUpright:
      return {0, row, column};
    case Orientation::kMirrored:
      return {last_column, row, -column};
    case Orientation::kHalfTurn:
      return {last_row + last_column, -row, -column};
    case Orientation::kFlipped:
      return {last_row, -row, column};
    case Orientation::kTransposed:
      return {0, column, row};
    case Orientation::kQuarterTurn:
      return {last_row, column, -row};
    case Orientation::kTransversed:
      return {last_row + last_column, -column, -row};
    case Orientation::kThreeQuarterTurn:
      return {last_column, -column, row};
  }
  return {0, row, column};
}

}  // namespace

Image upright(Image stored, Orientation orientation) {
  if (orientation == Orientation::kUpright) return stored;
  Image turned = swaps_sides(orientation) ? Image(stored.width, stored.height) : Image(stored.height, stored.width);
  const Walk walk = walk_of(orientation, stored);
  std::uint8_t* dst = turned.pixels.get();
  for (int y = 0; y < turned.height; ++y) {
    for (int x = 0; x < turned.width; ++x, dst += 3) {
      std::memcpy(dst, stored.pixels.get() + walk.origin + y * walk.down + x * walk.right, 3);
    }
  }
  return turned;
}

}  // namespace cudacards
