#include "host/data/image_decode.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "host/data/jpeg_decode.h"
#include "host/data/other_formats.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

bool has_at(ByteSpan file, std::size_t offset, std::string_view magic) {
  return file.size() >= offset + magic.size() &&
         std::equal(magic.begin(), magic.end(), file.begin() + static_cast<std::ptrdiff_t>(offset),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

bool is_jpeg(ByteSpan file) { return has_at(file, 0, "\xFF\xD8\xFF"); }

OtherFormat other_format(ByteSpan file) {
  using namespace std::string_view_literals;
  if (has_at(file, 0, "\x89PNG\r\n\x1A\n"sv)) return OtherFormat::kPng;
  if (has_at(file, 0, "RIFF"sv) && has_at(file, 8, "WEBP"sv)) return OtherFormat::kWebp;
  if (has_at(file, 0, "BM"sv) && has_at(file, 6, "\0\0\0\0"sv)) return OtherFormat::kBmp;
  const struct {
    std::size_t offset;
    std::string_view magic;
    const char* name;
  } kRefused[] = {{0, "GIF8", "a GIF"},           {0, "II*\0"sv, "a TIFF"},   {0, "MM\0*"sv, "a TIFF"},
                  {4, "ftyphei", "a HEIC"},       {4, "ftypmif", "a HEIC"},   {4, "ftypavif", "an AVIF"},
                  {0, "%PDF", "a PDF"},           {4, "jP  ", "a JPEG 2000"}, {0, "\xFF\x0A", "a JPEG XL"},
                  {0, "<!DOCTYPE", "a web page"}, {0, "<html", "a web page"}};
  for (const auto& [offset, magic, name] : kRefused) {
    if (has_at(file, offset, magic)) throw Error(fmt::format("{} file: convert it to JPEG", name));
  }
  throw Error("not a picture (by its first bytes)");
}

}  // namespace

void check_image_size(std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1) throw Error(fmt::format("{} x {} pixels", width, height));
  if (height > kMaxImagePixels / width) {
    throw Error(fmt::format("{} x {} pixels: more than the limit of {} megapixels", width, height,
                            kMaxImagePixels / 1'000'000));
  }
}

Image decode_image(ByteSpan file) {
  if (file.empty()) throw Error("empty file");
  return is_jpeg(file) ? decode_jpeg(file) : decode_other(file, other_format(file));
}

ImageSize image_size(ByteSpan file) {
  if (file.empty()) throw Error("empty file");
  return is_jpeg(file) ? jpeg_size(file) : size_of_other(file, other_format(file));
}

}  // namespace cudacards
