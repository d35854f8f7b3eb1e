#include <fmt/format.h>

#include "host/ops/cpu/implementations.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/sources.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/onednn.h"
#include "host/runtime/error.h"

namespace cudacards {

Pool2dProblem MaxPool2d::problem(const Shape& src) const {
  return {.n = static_cast<int>(src[0]),
          .h = static_cast<int>(src[1]),
          .w = static_cast<int>(src[2]),
          .c = static_cast<int>(src[3]),
          .window_h = options.window.h,
          .window_w = options.window.w,
          .stride_h = options.step().h,
          .stride_w = options.step().w};
}

Shape MaxPool2d::infer_shape(std::span<const Shape> src) const {
  const Shape& shape = only_picture_source(src);
  const Extent2d window = options.window, step = options.step();
  if (window.h < 1 || window.w < 1)
    throw Error(fmt::format("the window must be positive, got {} x {}", window.h, window.w));
  if (step.h < 1 || step.w < 1) throw Error(fmt::format("the stride must be positive, got {} x {}", step.h, step.w));
  if (shape[1] < window.h || shape[2] < window.w) {
    throw Error(fmt::format("the window of {} x {} is larger than the picture of {} x {}", window.h, window.w, shape[1],
                            shape[2]));
  }
  const Pool2dProblem p = problem(shape);
  return {p.n, p.p(), p.q(), p.c};
}

std::span<const Implementation> MaxPool2d::implementations(DeviceKind device) const {
  static const std::array kCpu = {kCpuMaxPool, kReferenceMaxPool};
  static const std::array kCuda = {kCudaMaxPool, kCudnnMaxPool, kCudaReferenceMaxPool};
  static const std::array kEmulated = {kCudaMaxPool, kCudaReferenceMaxPool};
  if (device == DeviceKind::kCuda) return kCuda;
  if (device == DeviceKind::kEmulated) return kEmulated;
  return kCpu;
}

Shape GlobalAveragePool2d::infer_shape(std::span<const Shape> src) const {
  const Shape& shape = only_picture_source(src);
  return {shape[0], shape[3]};
}

double GlobalAveragePool2d::flops(std::span<const Shape> src) const {
  return static_cast<double>(only_source(src).elements());
}

std::span<const Implementation> GlobalAveragePool2d::implementations(DeviceKind device) const {
  static const std::array kCpu = {kOnednnGlobalAveragePool, kReferenceGlobalAveragePool};
  static const std::array kCuda = {kCudaGlobalAveragePool, kCudnnGlobalAveragePool, kCudaReferenceGlobalAveragePool};
  static const std::array kEmulated = {kCudaGlobalAveragePool, kCudaReferenceGlobalAveragePool};
  if (device == DeviceKind::kCuda) return kCuda;
  if (device == DeviceKind::kEmulated) return kEmulated;
  return kCpu;
}

}  // namespace cudacards
