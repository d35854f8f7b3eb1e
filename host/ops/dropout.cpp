#include <fmt/format.h>

#include "host/ops/cpu/implementations.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/sources.h"
#include "host/runtime/error.h"

namespace cudacards {

Dropout::Dropout(float rate) : rate(rate) {
  if (!(rate >= 0 && rate < 1))
    throw Error(fmt::format("the dropout rate must be at least 0 and below 1, got {}", rate));
}

Shape Dropout::infer_shape(std::span<const Shape> src) const { return only_source(src); }

std::span<const Implementation> Dropout::implementations(DeviceKind device) const {
  static const std::array kCpu = {kCpuDropout, kReferenceDropout};
  static const std::array kDevice = {kCudaDropout, kCudaReferenceDropout};
  if (device != DeviceKind::kCpu) return kDevice;
  return kCpu;
}

}  // namespace cudacards
