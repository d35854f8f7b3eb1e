#pragma once
// A picture as a model sees it: warped, lit, erased and normalised in one pass over the destination.

#include <cstddef>
#include <cstdint>

#include "host/ops/image_batch.h"
#include "kernels/base/dtype.h"

namespace cudacards {

/// Bytes of scratch that one augment_picture() needs.
std::size_t augment_scratch_bytes(int height, int width);

/// src and dst (H,W,3). An identity transform takes the exact path and needs no scratch. T is float or Bf16.
template <class T>
void augment_picture(const std::uint8_t* src, int height, int width, const ImageTransform& transform,
                     Normalisation normalisation, std::byte* scratch, T* dst);

extern template void augment_picture(const std::uint8_t*, int, int, const ImageTransform&, Normalisation, std::byte*,
                                     float*);
extern template void augment_picture(const std::uint8_t*, int, int, const ImageTransform&, Normalisation, std::byte*,
                                     Bf16*);

}  // namespace cudacards
