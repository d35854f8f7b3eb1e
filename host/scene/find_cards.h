#pragma once
// The cards in a photo: where they lie and what they are called. What names them is handed in, so that this room knows
// no network.

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "host/data/image.h"

namespace cudacards {

/// Names cut-out cards.
struct CardNamer {
  std::vector<std::string> classes;
  int height = 0, width = 0;  // of the pictures that it wants, RGB without gaps
  /// Probabilities of the classes, a row a picture.
  std::function<std::vector<float>(std::span<const std::uint8_t* const>)> probabilities;
};

struct PhotoPoint {
  double x = 0, y = 0;
};

struct FoundCard {
  std::string label;
  double probability = 0;
  /// Upper left, upper right, lower right, lower left corner of the whole card, in the picture's pixels. Hidden corners
  /// are where they must be, some beyond the picture.
  std::array<PhotoPoint, 4> quad;
  /// Around what can be seen of it: left, top, right, bottom.
  std::array<double, 4> box{};
};

/// A card that lies upon another comes before it. `least_probability`: what is less probable is no card.
std::vector<FoundCard> find_cards(const Image& image, const CardNamer& namer, double least_probability);

}  // namespace cudacards
