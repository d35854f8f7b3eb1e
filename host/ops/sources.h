#pragma once
// What every infer_shape asks of its inputs first.

#include <span>

#include "host/ops/tensor.h"

namespace cudacards {

/// The only source of an operation that takes one. Throws Error otherwise.
const Shape& only_source(std::span<const Shape> src);
/// The only source, which must be a batch of pictures (N,H,W,C).
const Shape& only_picture_source(std::span<const Shape> src);

}  // namespace cudacards
