#pragma once
// From a flat face to a picture as a camera or a scanner gives it: placed in perspective on a background, lit, blurred,
// noisy.

#include <array>
#include <opencv2/core.hpp>
#include <optional>

#include "host/data/deck/random.h"

namespace cudacards {

/// A flat, upright card, RGB (CV_8UC3), and the radius of its rounded corners in pixels.
struct FlatCard {
  cv::Mat face;
  double corner_radius = 0;
};

/// Upper left, upper right, lower right, lower left corner of a card, in a picture of side 1.
using Corners = std::array<cv::Point2f, 4>;

/// Where the card is: never mirrored, and visible on half of the picture at least.
Corners draw_placement(DeckRandom& random);

/// A picture size x size (CV_8UC3, RGB) of `card`. `neighbour` peeks out behind it. The choices come from `random`, the
/// sensor's noise from `noise`.
cv::Mat photograph(const FlatCard& card, const std::optional<FlatCard>& neighbour, int size, DeckRandom& random,
                   DeckRandom& noise);

}  // namespace cudacards
