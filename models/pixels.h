#pragma once
// The first layers that models share.

#include "models/registry.h"

namespace cudacards {

/// A picture's pixels in the range that the network learns from.
inline Node rescaled(Graph& g, Node image, InputRange range) {
  switch (range) {
    case InputRange::kUnit:
      return g.rescale(image, 1.0f / 255);
    case InputRange::kCentred:
      return g.rescale(image, 1 / 127.5f, -1.0f);
    case InputRange::kUnscaled:
      break;
  }
  return g.rescale(image, 2.0f, -1.0f);
}

}  // namespace cudacards
