#pragma once
// Pictures that tests make for themselves: pixels, JPEG bytes, EXIF segments and whole data sets.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "host/data/image.h"

namespace cudacards::testing_support {

using Bytes = std::vector<std::uint8_t>;

/// Smooth colours with a few hard edges: like a photograph to a JPEG encoder. Different for each seed.
Image picture(int height, int width, std::uint32_t seed);

struct JpegOptions {
  enum class Kind : std::uint8_t { kColour, kGrey, kCmyk, kProgressive } kind = Kind::kColour;
  int quality = 95;
};
/// For kCmyk the picture's channels become C, M, Y as they are stored and K is `black` everywhere.
Bytes jpeg(const Image& image, const JpegOptions& options = {}, std::uint8_t black = 255);

/// A TIFF structure of one directory entry, in an APP1 segment behind the JPEG's first marker.
enum class ByteOrder : std::uint8_t { kIntel, kMotorola };
Bytes exif(std::uint32_t orientation, ByteOrder order);
Bytes with_segment(const Bytes& jpeg, std::uint8_t marker, const Bytes& body);

void write(const std::filesystem::path& path, const Bytes& bytes);
/// count pictures of size x size named 000.jpg, ... in a new folder. Different for each seed.
void write_class(const std::filesystem::path& folder, int count, std::uint32_t seed, int size = 16);

}  // namespace cudacards::testing_support
