#pragma once
// A card cut out of a photo and squashed to what a model sees.

#include <cstdint>
#include <span>

#include "host/scene/photo.h"
#include "host/scene/quad.h"

namespace cudacards {

/// Writes height x width x 3 bytes (RGB) with the card upright, `quad`'s first side on top (`upside_down`: at the
/// bottom). What lies under the cards `above` or beyond the picture is taken from the card's other half, which is the
/// same turned by 180 degrees; where that is hidden too, it is blank paper.
void rectify(const Photo& photo, const Quad& quad, std::span<const Quad> above, bool upside_down, int height, int width,
             std::uint8_t* dst);

/// What can be seen of a card.
struct Visible {
  double share = 0;  // of its area
  cv::Rect2d box;    // in the pixels of `full`
};
Visible visible_part(const Photo& photo, const Quad& quad, std::span<const Quad> above);

}  // namespace cudacards
