#include "host/ops/cpu/implementations.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/sources.h"

namespace cudacards {

Shape ActivationLayer::infer_shape(std::span<const Shape> src) const { return only_source(src); }

std::span<const Implementation> ActivationLayer::implementations(DeviceKind device) const {
  static const std::array kCpu = {kCpuActivation, kReferenceActivation};
  static const std::array kDevice = {kCudaActivation, kCudaReferenceActivation};
  if (device != DeviceKind::kCpu) return kDevice;
  return kCpu;
}

}  // namespace cudacards
