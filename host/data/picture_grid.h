#pragma once
// Many pictures as one, in a grid, each with a line of words.

#include <string>
#include <vector>

#include "host/data/image.h"

namespace cudacards {

struct GridPicture {
  std::string caption;
  Image image;
};

/// As large as it fits into side x side pixels.
Image fitted(const Image& picture, int side);

/// Tiles of tile x tile pixels, each with its picture fitted and its caption below: `least_columns` in a row, more where
/// the grid would be longer than wide. An empty grid is one empty tile.
Image picture_grid(const std::vector<GridPicture>& pictures, int least_columns, int tile);

}  // namespace cudacards
