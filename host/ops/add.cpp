#include <fmt/format.h>

#include "host/ops/cpu/implementations.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/runtime/error.h"

namespace cudacards {

Shape Add::infer_shape(std::span<const Shape> src) const {
  if (src.size() != 2) throw Error(fmt::format("takes 2 inputs, got {}", src.size()));
  if (src[0] != src[1])
    throw Error(fmt::format("can't add {} and {}: shapes differ", src[0].to_string(), src[1].to_string()));
  return src[0];
}

std::span<const Implementation> Add::implementations(DeviceKind device) const {
  static const std::array kCpu = {kCpuAdd, kReferenceAdd};
  static const std::array kDevice = {kCudaAdd, kCudaReferenceAdd};
  if (device != DeviceKind::kCpu) return kDevice;
  return kCpu;
}

}  // namespace cudacards
