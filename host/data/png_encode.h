#pragma once
// Pixels to PNG, by libpng.

#include <cstdint>
#include <vector>

#include "host/data/image.h"

namespace cudacards {

std::vector<std::uint8_t> encode_png(const Image& image);

}  // namespace cudacards
