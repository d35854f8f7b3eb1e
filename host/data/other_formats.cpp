#include "host/data/other_formats.h"

#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "host/data/image_decode.h"
#include "host/runtime/error.h"

#ifdef CUDACARDS_HAS_IMGCODECS
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#endif

namespace cudacards {
namespace {

const char* name_of(OtherFormat format) {
  switch (format) {
    case OtherFormat::kPng:
      return "PNG";
    case OtherFormat::kBmp:
      return "BMP";
    case OtherFormat::kWebp:
      return "WebP";
  }
  return "?";
}

/// Little-endian number of `count` bytes; a file that ends before them is truncated.
std::uint32_t little_endian(ByteSpan file, std::size_t at, int count) {
  if (file.size() < at + static_cast<std::size_t>(count)) throw Error("truncated header");
  std::uint32_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | file[at + static_cast<std::size_t>(i)];
  return value;
}

std::uint32_t big_endian32(ByteSpan file, std::size_t at) { return __builtin_bswap32(little_endian(file, at, 4)); }

ImageSize webp_size(ByteSpan file) {
  const std::string_view chunk(reinterpret_cast<const char*>(file.data()) + 12, file.size() >= 30 ? 4 : 0);
  const auto size = [](std::uint32_t height, std::uint32_t width) {
    return ImageSize{static_cast<int>(height), static_cast<int>(width)};
  };
  if (chunk == "VP8X") return size(1 + little_endian(file, 27, 3), 1 + little_endian(file, 24, 3));
  if (chunk == "VP8 ") return size(little_endian(file, 28, 2) & 0x3FFF, little_endian(file, 26, 2) & 0x3FFF);
  if (chunk == "VP8L") {
    const std::uint32_t bits = little_endian(file, 21, 4);
    return size(1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF));
  }
  throw Error("truncated header");
}

}  // namespace

ImageSize size_of_other(ByteSpan file, OtherFormat format) {
  ImageSize size;
  switch (format) {
    case OtherFormat::kPng:
      size = {static_cast<int>(big_endian32(file, 20)), static_cast<int>(big_endian32(file, 16))};
      break;
    case OtherFormat::kBmp: {
      const auto height = static_cast<std::int32_t>(little_endian(file, 22, 4));  // negative: rows from top to bottom
      if (height == INT32_MIN) throw Error("BMP without a height");
      size = {std::abs(height), static_cast<int>(little_endian(file, 18, 4))};
      break;
    }
    case OtherFormat::kWebp:
      size = webp_size(file);
      break;
  }
  check_image_size(size.height, size.width);
  return size;
}

#ifdef CUDACARDS_HAS_IMGCODECS

Image decode_other(ByteSpan file, OtherFormat format) {
  size_of_other(file, format);  // refuses a size that cannot be before OpenCV takes memory for it
  try {
    const cv::Mat encoded(1, static_cast<int>(file.size()), CV_8UC1, const_cast<std::uint8_t*>(file.data()));
    const cv::Mat bgr = cv::imdecode(encoded, cv::IMREAD_COLOR);
    if (bgr.empty()) throw Error(fmt::format("truncated or corrupt {}", name_of(format)));
    Image image(bgr.rows, bgr.cols);
    cv::Mat rgb(bgr.rows, bgr.cols, CV_8UC3, image.pixels.get());
    cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
    return image;
  } catch (const cv::Exception&) {
    throw Error(fmt::format("truncated or corrupt {}", name_of(format)));
  }
}

#else

Image decode_other(ByteSpan file, OtherFormat format) {
  size_of_other(file, format);
  throw Error(fmt::format("a {} file: this build reads JPEG only (install libopencv-imgcodecs-dev and build again)",
                          name_of(format)));
}

#endif

}  // namespace cudacards
