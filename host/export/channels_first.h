#pragma once
// Others keep channels in front of rows and columns (NCHW). What that does to weights.

#include <optional>
#include <span>
#include <vector>

#include "host/graph/graph.h"

namespace cudacards {

/// (outer,H,W,C) -> (outer,C,H,W), with the H, W and C of `picture` (any,H,W,C). A convolution's weights (K,R,S,C) are
/// such, and a dense layer's (units, H*W*C) where it reads a flattened picture.
std::vector<float> channels_first(std::span<const float> values, const Shape& picture);

/// For each layer: the shape (1,H,W,C) of the picture whose elements its result's columns are, in the picture's order,
/// because a Flatten is somewhere below and no dense layer between. Nothing where the order of channels makes no
/// difference (H*W or C is 1). Throws Error naming the layer whose result would depend on that order otherwise than
/// column by column.
std::vector<std::optional<Shape>> flattened_pictures(const Graph& graph);

}  // namespace cudacards
