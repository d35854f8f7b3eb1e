#include "host/ops/sources.h"

#include <fmt/format.h>

#include "host/runtime/error.h"

namespace cudacards {

const Shape& only_source(std::span<const Shape> src) {
  if (src.size() != 1) throw Error(fmt::format("takes 1 input, got {}", src.size()));
  if (src[0].rank() < 2) throw Error(fmt::format("expected a batch of at least rank 2, got {}", src[0].to_string()));
  return src[0];
}

const Shape& only_picture_source(std::span<const Shape> src) {
  const Shape& shape = only_source(src);
  if (shape.rank() != 4) throw Error(fmt::format("expected pictures (N, H, W, C), got {}", shape.to_string()));
  return shape;
}

}  // namespace cudacards
