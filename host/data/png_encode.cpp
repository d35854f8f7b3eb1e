#include "host/data/png_encode.h"

#include <png.h>

#include "host/runtime/error.h"

namespace cudacards {

std::vector<std::uint8_t> encode_png(const Image& image) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  std::vector<std::uint8_t> bytes(PNG_IMAGE_PNG_SIZE_MAX(header));  // what it can come to at most
  png_alloc_size_t size = bytes.size();
  const int written = png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels.get(), 0, nullptr);
  CUDACARDS_CHECK(written != 0, header.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace cudacards
