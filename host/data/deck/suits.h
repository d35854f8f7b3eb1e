#pragma once
// The four suit shapes as outlines.

#include "host/data/deck/path.h"

namespace cudacards {

enum class Suit { kClubs, kDiamonds, kHearts, kSpades };
constexpr int kSuits = 4;

/// How one deck draws its suits. 0 to 1 each.
struct SuitShapes {
  double breadth = 0.5;   // slender to stout
  double hollow = 0.3;    // how far a diamond's edges bend inwards
  double fullness = 0.5;  // how round the heart's and the spade's flanks are
  double foot = 0.5;      // width of the stem's foot
};

/// The shape inside the square [-1, 1] x [-1, 1], upright. The union of its contours.
Path suit_outline(Suit suit, const SuitShapes& shapes);

}  // namespace cudacards
