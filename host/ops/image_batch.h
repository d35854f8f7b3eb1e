#pragma once
// What a plan is fed with: pictures as they lie in the data set's memory, and how each is to be seen this time.

#include <array>
#include <cstdint>
#include <span>

namespace cudacards {

/// How one picture is warped and lit before it is normalised. The default is "as it is", which takes the exact path
/// dst = pixel * scale + offset and is the only path of eval, predict and export.
struct ImageTransform {
  /// Homography from destination pixel centres to source pixel centres, row-major: (x', y', w) = m * (x, y, 1), both in
  /// pixels of the H x W picture. Outside the source the nearest edge pixel is repeated.
  std::array<float, 9> source_from_destination = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  float contrast = 1.0f;    // pixel' = (pixel - 127.5) * contrast + 127.5 + brightness, clamped to 0..255
  float brightness = 0.0f;  // in units of 0..255
  float blur_sigma = 0.0f;  // Gaussian in source pixels; 0: none
  struct Rectangle {
    int x = 0, y = 0, width = 0, height = 0;
  } erase;  // width 0: nothing is erased
  std::array<std::uint8_t, 3> erase_colour = {127, 127, 127};
  bool is_identity = true;  // set by whoever fills in anything above
};

/// N pictures of H x W x 3 uint8, RGB. `images` may repeat a pointer (padding of a last, short batch).
struct ImageBatch {
  std::span<const std::uint8_t* const> images;
  std::span<const ImageTransform> transforms;  // empty, or one a picture
};

}  // namespace cudacards
