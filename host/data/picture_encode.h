#pragma once
// Pixels to the bytes of a picture file, of the format that its name asks for.

#include <cstdint>
#include <string>
#include <vector>

#include "host/data/image.h"

namespace cudacards {

enum class PictureFormat : std::uint8_t { kPng, kJpeg };

/// "sheet.png", "sheet.JPG". Throws UsageError for other endings.
PictureFormat picture_format_of(const std::string& path);

/// Throws UsageError where a picture of this size cannot be written so.
void check_encodable(PictureFormat format, std::int64_t height, std::int64_t width);

std::vector<std::uint8_t> encode_picture(const Image& image, PictureFormat format);

}  // namespace cudacards
