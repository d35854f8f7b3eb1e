#pragma once
// From a flat face to a picture as a camera or a scanner gives it: placed in perspective on a background, lit, blurred,
// noisy.

#include <opencv2/core.hpp>
#include <optional>

#include "host/data/deck/laid_card.h"
#include "host/data/deck/random.h"

namespace cudacards {

/// Where the card is: never mirrored, and visible on half of the picture at least.
Corners draw_placement(DeckRandom& random);

/// A picture size x size (CV_8UC3, RGB) of `card`. `neighbour` peeks out behind it. The choices come from `random`, the
/// sensor's noise from `noise`.
cv::Mat photograph(const FlatCard& card, const std::optional<FlatCard>& neighbour, int size, DeckRandom& random,
                   DeckRandom& noise);

}  // namespace cudacards
