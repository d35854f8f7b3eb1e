#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/sources.h"
#include "host/ops/vendor/onednn.h"

namespace cudacards {

Shape Softmax::infer_shape(std::span<const Shape> src) const { return only_source(src); }

std::span<const Implementation> Softmax::implementations(DeviceKind device) const {
  static const std::array kCpu = {kOnednnSoftmax, kReferenceSoftmax};
  static const std::array kDevice = {kCudaSoftmax, kCudaReferenceSoftmax};
  if (device != DeviceKind::kCpu) return kDevice;
  return kCpu;
}

}  // namespace cudacards
