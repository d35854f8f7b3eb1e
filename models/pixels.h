#pragma once
// The first layers that models share.

#include "models/registry.h"

namespace cudacards {

/// A picture's pixels in the range that the network learns from.
inline Node rescaled(Graph& g, Node image, InputRange range) {
  return range == InputRange::kUnit ? g.rescale(image, 1.0f / 255) : g.rescale(image, 1 / 127.5f, -1.0f);
}

}  // namespace cudacards
