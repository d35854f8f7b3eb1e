#pragma once
// Where the cards of a scene lie.

#include <opencv2/core.hpp>
#include <vector>

#include "host/data/deck/laid_card.h"
#include "host/data/deck/random.h"

namespace cudacards {

/// `count` cards with sides of width to height as 100 to `card_height`, within a picture of `size`, seen from somewhere
/// above the table. In pixels. A card covers at most `most_covered` of another's area, and three cards never meet.
std::vector<Corners> draw_layout(int count, double card_height, cv::Size size, double most_covered, DeckRandom& random);

}  // namespace cudacards
