#pragma once
// Outlines of whole cards: what is lighter than its surroundings, or enclosed by edges, and has four corners.

#include <vector>

#include "host/scene/photo.h"
#include "host/scene/quad.h"

namespace cudacards {

std::vector<Quad> quads_of_regions(const Photo& photo);

}  // namespace cudacards
