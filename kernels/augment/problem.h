#pragma once
// How the pictures of a data set become a batch: which view of each, and in which scale.

#include <array>
#include <cstdint>

#include "kernels/base/dtype.h"
#include "kernels/base/host_device.h"

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

/// dst = pixel * scale + offset, the last step of every picture.
struct Normalisation {
  float scale = 1, offset = 0;
};

constexpr int kPictureChannels = 3;
constexpr int kMaxBlurRadius = 30;  // pixels; three times the largest sigma, 10

/// N pictures of a data set in device memory, uint8 (D,H,W,3), gathered by index into dst (N,H,W,3).
struct PictureBatchProblem {
  int n = 1, h = 1, w = 1;
  Normalisation normalisation;

  CUDACARDS_HOST_DEVICE std::int64_t picture_pixels() const { return std::int64_t{h} * w; }
  CUDACARDS_HOST_DEVICE std::int64_t picture_values() const { return picture_pixels() * kPictureChannels; }
  std::int64_t dst_elements() const { return n * picture_values(); }
  std::int64_t blurred_bytes() const { return dst_elements(); }  // of scratch: uint8 (N,H,W,3)
  /// The least that must move: each picture read once, dst written once.
  std::int64_t bytes(DType type) const { return dst_elements() * (1 + static_cast<std::int64_t>(size_of(type))); }
  /// Of what a picture that is passed on as it is takes.
  std::int64_t flops() const { return 2 * dst_elements(); }
};

}  // namespace cudacards
