#pragma once
// Random views of a training picture. Never mirrored: a mirrored card is not a card.

#include <cstdint>

#include "host/ops/image_batch.h"

namespace cudacards {

/// Ranges are symmetric, drawn uniformly. All zero: no augmentation.
struct AugmentOptions {
  float rotation_degrees = 0;  // +-
  float scale = 0;             // factor in 1 +- this
  float shift = 0;             // share of the side, +-
  float perspective = 0;       // each corner moves by up to this share of the side
  float brightness = 0;        // +- this share of 255
  float contrast = 0;          // factor in 1 +- this
  float blur_probability = 0;  // with sigma up to blur_sigma pixels
  float blur_sigma = 1.0f;
  float erase_probability =
      0;  // a rectangle of 2 to erase_area of the picture (Zhong et al., "Random erasing", AAAI 2020)
  float erase_area = 0.15f;
  bool enabled() const;
};

/// Throws UsageError for a range that has no meaning: a negative one, a scale that reaches 0, corners that may pass one
/// another.
void validate(const AugmentOptions& options);

/// The transform of picture `index` in `epoch`: counter-based, the same on every machine and in any order.
ImageTransform draw_transform(const AugmentOptions& options, std::uint64_t seed, std::uint64_t epoch,
                              std::uint64_t index, int height, int width);

}  // namespace cudacards
