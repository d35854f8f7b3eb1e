#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/sources.h"
#include "host/ops/vendor/onednn.h"

namespace cudacards {

Shape Softmax::infer_shape(std::span<const Shape> src) const { return only_source(src); }

std::span<const Implementation> Softmax::implementations(DeviceKind device) const {
  static const std::array kCpu = {kOnednnSoftmax, kReferenceSoftmax};
  if (device != DeviceKind::kCpu) return {};
  return kCpu;
}

}  // namespace cudacards
