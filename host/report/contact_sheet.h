#pragma once
// Many pictures as one: rows of thumbnails with words beside them, in as many columns of rows as a screen's shape wants.

#include <string>
#include <vector>

#include "host/data/image.h"

namespace cudacards {

struct ContactSheet {
  struct Row {
    std::string title;               // wrapped, and cut where it takes more than three lines
    std::vector<std::string> notes;  // below it, smaller, a line each and cut where they are too long
    std::vector<Image> pictures;     // side x side; see thumbnail()
  };
  std::string title;
  int side = 96;          // of a thumbnail, in pixels
  int label_width = 150;  // of the words beside them
  std::vector<Row> rows = {};
};

/// Squashed to side x side: smoothly where it becomes smaller, pixel by pixel where it becomes larger.
Image thumbnail(const Image& picture, int side);

/// Of `sheet` once it has so many rows with so many pictures each.
ImageSize contact_sheet_size(const ContactSheet& sheet, std::size_t rows, std::size_t pictures);

/// What is beyond ASCII is written as "?".
Image draw_contact_sheet(const ContactSheet& sheet);

}  // namespace cudacards
