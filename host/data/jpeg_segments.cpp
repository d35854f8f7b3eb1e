#include "host/data/jpeg_segments.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace cudacards {
namespace {

constexpr std::uint8_t kRestart0 = 0xD0, kEndOfImage = 0xD9, kStartOfScan = 0xDA, kApp1 = 0xE1, kApp14 = 0xEE;

bool starts_with(ByteSpan bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

/// Numbers of a TIFF structure, in the byte order that its first two bytes name. Reads beyond the end are zero.
class TiffReader {
 public:
  explicit TiffReader(ByteSpan bytes) : bytes_(bytes), little_endian_(starts_with(bytes, "II")) {}
  bool is_tiff() const { return (little_endian_ || starts_with(bytes_, "MM")) && u16(2) == 42; }
  std::uint32_t u16(std::size_t at) const {
    return little_endian_ ? byte(at) | byte(at + 1) << 8 : byte(at) << 8 | byte(at + 1);
  }
  std::uint32_t u32(std::size_t at) const {
    return little_endian_ ? u16(at) | u16(at + 2) << 16 : u16(at) << 16 | u16(at + 2);
  }

 private:
  std::uint32_t byte(std::size_t at) const { return at < bytes_.size() ? bytes_[at] : 0u; }
  ByteSpan bytes_;
  bool little_endian_;
};

Orientation exif_orientation(ByteSpan tiff_bytes) {
  constexpr std::uint32_t kOrientationTag = 0x0112, kShort = 3;
  constexpr std::size_t kEntryBytes = 12;
  const TiffReader tiff(tiff_bytes);
  if (!tiff.is_tiff()) return Orientation::kUpright;
  const std::size_t directory = tiff.u32(4);
  const std::size_t entries = tiff.u16(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    if (entry + kEntryBytes > tiff_bytes.size()) break;
    if (tiff.u16(entry) != kOrientationTag) continue;
    const std::uint32_t value = tiff.u16(entry + 8);
    const bool valid = tiff.u16(entry + 2) == kShort && tiff.u32(entry + 4) == 1 && value >= 1 && value <= 8;
    return valid ? static_cast<Orientation>(value) : Orientation::kUpright;
  }
  return Orientation::kUpright;
}

/// A marker that is followed by no length: TEM, RSTn, SOI, EOI.
bool stands_alone(std::uint8_t marker) { return marker == 0x01 || (marker >= kRestart0 && marker <= kEndOfImage); }

/// Position of the next marker's second byte at or after `at`, skipping entropy-coded data: there 0xFF is followed by 0
/// or RSTn.
std::size_t next_marker(ByteSpan file, std::size_t at) {
  while (at < file.size()) {
    const void* found = std::memchr(file.data() + at, 0xFF, file.size() - at);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - file.data());
    while (at < file.size() && file[at] == 0xFF) ++at;  // fill bytes
    if (at < file.size() && file[at] != 0) return at;
  }
  return file.size();
}

}  // namespace

JpegSegments jpeg_segments(ByteSpan file) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  JpegSegments segments;
  bool has_exif = false;
  std::size_t at = 0;
  while ((at = next_marker(file, at)) < file.size()) {
    const std::uint8_t marker = file[at++];
    if (marker == kEndOfImage) break;
    if (stands_alone(marker)) continue;
    if (file.size() - at < 2) break;
    const std::size_t length = static_cast<std::size_t>(file[at]) << 8 | file[at + 1];
    if (length < 2 || length > file.size() - at) break;
    const ByteSpan body = file.subspan(at + 2, length - 2);
    if (marker == kStartOfScan) ++segments.scans;
    if (marker == kApp14 && starts_with(body, "Adobe")) segments.has_adobe = true;
    if (marker == kApp1 && !has_exif && starts_with(body, kExif)) {
      has_exif = true;
      segments.orientation = exif_orientation(body.subspan(kExif.size()));
    }
    at += length;
  }
  return segments;
}

}  // namespace cudacards
