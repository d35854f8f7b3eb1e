#pragma once
// Picture formats besides JPEG: decoded by OpenCV's imgcodecs where the build has it, refused with a clear reason where
// not.

#include "host/data/files.h"
#include "host/data/image.h"

namespace cudacards {

enum class OtherFormat : std::uint8_t { kPng, kBmp, kWebp };

/// See decode_image and image_size. `file` begins with the format's magic bytes. An alpha channel is dropped.
Image decode_other(ByteSpan file, OtherFormat format);
ImageSize size_of_other(ByteSpan file, OtherFormat format);

}  // namespace cudacards
