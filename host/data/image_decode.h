#pragma once
// Picture files to pixels. The first bytes of a file decide what it is, never its name; sizes are checked in the header
// before any memory is taken; a file that its decoder complains about is bad, not "mostly fine".
//
// JPEG is decoded by libjpeg-turbo. PNG, BMP and WebP are decoded by OpenCV's imgcodecs in builds that have it.

#include "host/data/files.h"
#include "host/data/image.h"

namespace cudacards {

/// Pictures with more pixels are refused: a header of 20 bytes can ask for gigabytes.
constexpr std::int64_t kMaxImagePixels = 100'000'000;

/// Turned upright as its EXIF orientation says. Throws Error with the reason alone: the caller knows the path.
Image decode_image(ByteSpan file);

/// The size that decode_image would give, from the header.
ImageSize image_size(ByteSpan file);

/// Throws Error where a picture of this size is refused.
void check_image_size(std::int64_t height, std::int64_t width);

}  // namespace cudacards
