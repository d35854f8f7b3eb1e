#include "host/ops/ops.h"
#include "host/ops/sources.h"

namespace cudacards {

Shape Flatten::infer_shape(std::span<const Shape> src) const {
  const Shape& shape = only_source(src);
  return {shape[0], shape.elements() / shape[0]};
}

// A view: there is nothing to run.
std::span<const Implementation> Flatten::implementations(DeviceKind) const { return {}; }

}  // namespace cudacards
