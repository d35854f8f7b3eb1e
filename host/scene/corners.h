#pragma once
// Outlines of cards of which only some sides are seen: a side with a corner at each end is enough, or one corner where
// the size of the cards is known.

#include <optional>
#include <vector>

#include "host/scene/quad.h"
#include "host/scene/segments.h"

namespace cudacards {

/// `longer_side`: the picture's. `known`: the size of other cards in it.
std::vector<Quad> quads_of_sides(const std::vector<Segment>& segments, double longer_side,
                                 const std::optional<Sides>& known);

}  // namespace cudacards
