#pragma once
// How well the edges of a photo bear out that a card lies where an outline says, and the outline moved onto them.

#include <array>
#include <span>

#include "host/scene/photo.h"
#include "host/scene/quad.h"

namespace cudacards {

/// Shares of the places along the outline that can be seen: within the picture, under none of the cards above.
struct Support {
  double edge = 0;     // where an edge runs along the outline, on each side all from light to dark or all the other way
  double lighter = 0;  // where the card's side of the edge is the lighter one
  double weakest_side = 0;  // `edge` of the side that has least
  double unevenness = 1;    // of the card's rim, as a share of its lightness: paper is even
};

Support support_of(const Photo& photo, const Quad& quad, std::span<const Quad> above);

/// The outline with each side moved onto the edge nearby, if there is one.
Quad moved_onto_edges(const Photo& photo, const Quad& quad, std::span<const Quad> above);

}  // namespace cudacards
