#pragma once
// Some pictures of each class, as a network sees them: what `cudacards data show` draws.

#include <cstdint>
#include <string>
#include <vector>

#include "host/data/augment.h"
#include "host/data/dataset.h"
#include "host/data/image.h"

namespace cudacards {

struct ClassSheetOptions {
  std::vector<int> labels;  // the rows
  int per_class = 6;
  int thumbnail = 96;           // pixels, width and height
  int image_size = 224;         // of the network
  AugmentOptions augment = {};  // of its training; default: none
  std::uint64_t seed = 1;       // of the choice of pictures, and of their views
};

struct ClassSheet {
  Image image;
  std::vector<BadFile> bad;  // that would have been on it; others of their class took their place
};

/// Size of the sheet, for who wants to refuse it before any work.
ImageSize class_sheet_size(const std::vector<Sample>& samples, const ClassSheetOptions& options);

/// Reads the pictures in parallel. A class that has fewer shows all that it has. Throws Error where none can be read.
ClassSheet class_sheet(const std::string& title, const std::vector<Sample>& samples,
                       const std::vector<std::string>& classes, const ClassSheetOptions& options);

}  // namespace cudacards
