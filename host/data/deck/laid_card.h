#pragma once
// A card as it lies in a picture: laid over what is there, with its shadow.

#include <array>
#include <opencv2/core.hpp>
#include <vector>

#include "host/data/deck/background.h"
#include "host/data/deck/random.h"

namespace cudacards {

/// A flat, upright card, RGB (CV_8UC3), and the radius of its rounded corners in pixels.
struct FlatCard {
  cv::Mat face;
  double corner_radius = 0;
};

/// Upper left, upper right, lower right, lower left corner of a card, in a picture of side 1.
using Corners = std::array<cv::Point2f, 4>;

/// Colour times coverage, and coverage (0 to 1), each the mean over two places within the pixel. It holds the part of
/// the picture that the card lies in, row by row.
struct LaidCard {
  cv::Rect area;
  std::vector<float> rgb, coverage;
};

/// In a picture of size x size pixels.
LaidCard place_card(const FlatCard& card, const Corners& corners, int size);

/// Darkens the picture where the card's shadow falls.
void cast_shadow(FloatPicture& picture, const LaidCard& layer, DeckRandom& random);

void lay(FloatPicture& picture, const LaidCard& layer);

}  // namespace cudacards
