#pragma once
// What a plan is fed with: pictures as they lie in the data set's memory, and how each is to be seen this time.

#include <cstdint>
#include <span>

#include "kernels/augment/problem.h"

namespace cudacards {

/// N pictures of H x W x 3 uint8, RGB. `images` may repeat a pointer (padding of a last, short batch).
struct ImageBatch {
  std::span<const std::uint8_t* const> images;
  std::span<const ImageTransform> transforms;  // empty, or one a picture
};

/// The same for a device, all of it in device memory. A captured step reads the arrays anew at every replay: only their
/// addresses and sizes are kept.
struct DeviceImages {
  const std::uint8_t* pictures = nullptr;      // (D,H,W,3), all that the indices may name
  const std::int32_t* indices = nullptr;       // (N)
  const ImageTransform* transforms = nullptr;  // (N); null: each picture as it is
  bool blurs = false;                          // some transform may blur
};

}  // namespace cudacards
