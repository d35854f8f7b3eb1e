#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/sources.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/onednn.h"

namespace cudacards {

Shape Softmax::infer_shape(std::span<const Shape> src) const { return only_source(src); }

std::span<const Implementation> Softmax::implementations(DeviceKind device) const {
  static const std::array kCpu = {kOnednnSoftmax, kReferenceSoftmax};
  static const std::array kCuda = {kCudaSoftmax, kCudnnSoftmax, kCudaReferenceSoftmax};
  static const std::array kEmulated = {kCudaSoftmax, kCudaReferenceSoftmax};
  if (device == DeviceKind::kCuda) return kCuda;
  if (device == DeviceKind::kEmulated) return kEmulated;
  return kCpu;
}

}  // namespace cudacards
