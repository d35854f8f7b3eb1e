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

}  // namespace cudacards
