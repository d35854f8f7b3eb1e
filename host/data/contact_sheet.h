#pragma once
// Many pictures on one.

#include <string>
#include <vector>

#include "host/data/image.h"

namespace cudacards {

struct SheetPicture {
  std::string caption;
  Image image;
};

/// Rows of `columns` tiles of tile x tile pixels, each with its picture as large as it fits and its caption below. An
/// empty sheet is one empty tile.
Image contact_sheet(const std::vector<SheetPicture>& pictures, int columns, int tile);

}  // namespace cudacards
