#pragma once
// A decoded picture.

#include <cstddef>
#include <cstdint>
#include <memory>

namespace cudacards {

/// H x W x 3 uint8, RGB, rows without gaps.
struct Image {
  int height = 0, width = 0;
  std::unique_ptr<std::uint8_t[]> pixels;

  Image() = default;
  /// Pixels are not initialised: a large picture that turns out to be truncated never touches most of its memory.
  Image(int height, int width)
      : height(height), width(width), pixels(std::make_unique_for_overwrite<std::uint8_t[]>(bytes_of(height, width))) {}

  std::size_t bytes() const { return bytes_of(height, width); }
  static std::size_t bytes_of(int height, int width) {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
  }
};

struct ImageSize {
  int height = 0, width = 0;
  auto operator<=>(const ImageSize&) const = default;  // NOLINT(modernize-use-nullptr): sees a 0 in it
};

}  // namespace cudacards
