#include "host/data/picture_encode.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "host/data/files.h"
#include "host/data/image_decode.h"
#include "host/data/jpeg_encode.h"
#include "host/data/png_encode.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

constexpr int kJpegQuality = 92;
constexpr std::int64_t kJpegSide = 65'500;  // libjpeg's limit

}  // namespace

PictureFormat picture_format_of(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  std::ranges::transform(ending, ending.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; });
  if (ending == ".png") return PictureFormat::kPng;
  if (ending == ".jpg" || ending == ".jpeg") return PictureFormat::kJpeg;
  throw UsageError(fmt::format("{}: a picture is written as PNG or JPEG: name it .png or .jpg", printable(path)));
}

void check_encodable(PictureFormat format, std::int64_t height, std::int64_t width) {
  const bool fits_jpeg = format != PictureFormat::kJpeg || std::max(height, width) <= kJpegSide;
  if (fits_jpeg && height <= kMaxImagePixels / std::max<std::int64_t>(1, width)) return;
  throw UsageError(fmt::format("{} x {} pixels are too many for one {}", width, height,
                               format == PictureFormat::kJpeg ? "JPEG" : "picture"));
}

std::vector<std::uint8_t> encode_picture(const Image& image, PictureFormat format) {
  if (format == PictureFormat::kPng) return encode_png(image);
  return encode_jpeg(image.pixels.get(), image.height, image.width, Image::bytes_of(1, image.width), kJpegQuality,
                     ChromaSampling::k444);
}

}  // namespace cudacards
