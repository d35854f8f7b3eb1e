#pragma once
// What of a graph gives the same result for a picture in every step, so that it need not be computed in each.

#include <optional>

#include "host/graph/graph.h"

namespace cudacards {

/// The last layer, of rank 2 (N, features), that all of what learns is computed from and that nothing random or
/// learning lies below. Nothing where there is none, or where no parameters lie below it.
std::optional<Node> end_of_frozen_part(const Graph& graph);

}  // namespace cudacards
