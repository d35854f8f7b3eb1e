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

/// Rows of `columns` tiles of tile x tile pixels, each with its picture as large as it fits and its caption below. An
/// empty grid is one empty tile.
Image picture_grid(const std::vector<GridPicture>& pictures, int columns, int tile);

}  // namespace cudacards
