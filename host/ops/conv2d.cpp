#include <fmt/format.h>

#include <algorithm>

#include "host/ops/cpu/implementations.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"
#include "host/ops/reference/implementations.h"
#include "host/ops/sources.h"
#include "host/ops/vendor/cublaslt.h"
#include "host/ops/vendor/cudnn.h"
#include "host/ops/vendor/onednn.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

struct Pad1d {
  int before = 0, after = 0;
};

// TensorFlow's "same": ceil(size / stride) outputs, the odd zero goes behind.
Pad1d pad_of(Padding padding, int size, int window, int stride) {
  if (padding == Padding::kValid) return {};
  const int outputs = (size + stride - 1) / stride;
  const int total = std::max((outputs - 1) * stride + window - size, 0);
  return {total / 2, total - total / 2};
}

}  // namespace

Conv2d::Conv2d(const Conv2dOptions& options, std::optional<Pool2dOptions> pool) : options(options), pool(pool) {
  const auto& o = options;
  if (o.filters < 1) throw Error(fmt::format("filters must be positive, got {}", o.filters));
  if (o.kernel.h < 1 || o.kernel.w < 1)
    throw Error(fmt::format("kernel must be positive, got {} x {}", o.kernel.h, o.kernel.w));
  if (o.stride.h < 1 || o.stride.w < 1)
    throw Error(fmt::format("stride must be positive, got {} x {}", o.stride.h, o.stride.w));
  if (o.groups < 1) throw Error(fmt::format("groups must be positive, got {}", o.groups));
  if (o.filters % o.groups != 0) throw Error(fmt::format("{} groups don't divide {} filters", o.groups, o.filters));
}

Conv2dProblem Conv2d::problem(const Shape& src) const {
  const int h = static_cast<int>(src[1]), w = static_cast<int>(src[2]);
  const Pad1d rows = pad_of(options.padding, h, options.kernel.h, options.stride.h);
  const Pad1d columns = pad_of(options.padding, w, options.kernel.w, options.stride.w);
  return {.n = static_cast<int>(src[0]),
          .h = h,
          .w = w,
          .c = static_cast<int>(src[3]),
          .k = options.filters,
          .r = options.kernel.h,
          .s = options.kernel.w,
          .stride_h = options.stride.h,
          .stride_w = options.stride.w,
          .pad = {rows.before, columns.before, rows.after, columns.after},
          .groups = options.groups};
}

Shape Conv2d::infer_shape(std::span<const Shape> src) const {
  const Shape& shape = only_picture_source(src);
  if (shape[3] % options.groups != 0)
    throw Error(fmt::format("{} groups don't divide {} channels", options.groups, shape[3]));
  const Conv2dProblem p = problem(shape);
  if (p.h + p.pad.top + p.pad.bottom < p.r || p.w + p.pad.left + p.pad.right < p.s) {
    throw Error(fmt::format("the kernel of {} x {} is larger than the picture of {} x {}", p.r, p.s, p.h, p.w));
  }
  Shape dst{p.n, p.p(), p.q(), p.k};
  if (!pool) return dst;
  const Shape pool_src[] = {dst};
  return MaxPool2d(*pool).infer_shape(pool_src);
}

std::vector<ParameterSpec> Conv2d::parameters(std::span<const Shape> src) const {
  const Shape& shape = only_picture_source(src);
  const Conv2dProblem p = problem(shape);
  const std::int64_t taps = std::int64_t{p.r} * p.s;
  // Keras' fans: its depthwise weights are (R,S,C,multiplier), so that C counts as inputs and the multiplier as
  // outputs.
  const std::int64_t fan_in = taps * (is_depthwise(shape) ? p.c : p.c_per_group());
  const std::int64_t fan_out = taps * (is_depthwise(shape) ? p.k_per_group() : p.k);
  std::vector<ParameterSpec> specs = {{.name = "weights",
                                       .shape = {p.k, p.r, p.s, p.c_per_group()},
                                       .initialiser = Initialiser::kGlorotUniform,
                                       .fan_in = fan_in,
                                       .fan_out = fan_out,
                                       .decays = true}};
  if (options.bias) specs.push_back({.name = "bias", .shape = {p.k}});
  return specs;
}

double Conv2d::flops(std::span<const Shape> src) const {
  return static_cast<double>(problem(only_picture_source(src)).flops());
}

std::unique_ptr<Operation> Conv2d::fuse(const Operation& consumer, const Shape&) const {
  if (pool) return nullptr;
  if (const auto* layer = dynamic_cast<const ActivationLayer*>(&consumer);
      layer && options.activation == Activation::kNone) {
    Conv2dOptions with_activation = options;
    with_activation.activation = layer->activation;
    return std::make_unique<Conv2d>(with_activation);
  }
  if (const auto* layer = dynamic_cast<const MaxPool2d*>(&consumer))
    return std::make_unique<Conv2d>(options, layer->options);
  return nullptr;
}

std::span<const Implementation> Conv2d::implementations(DeviceKind device) const {
  static const std::array kCpu = {kOnednnConv2dPool, kOnednnConv2dThenPool, kCpuDepthwise, kOnednnConv2d,
                                  kReferenceConv2d};
  static const std::array kCuda = {kCudaConvPool,      kCudaPointwise,      kCudaDepthwise, kCudaDirectConv2d,
                                   kCudaConv2d,        kCudaConv2dThenPool, kCudnnConv2d,   kCudnnConv2dThenPool,
                                   kCublasLtPointwise, kCudaReferenceConv2d};
  static const std::array kEmulated = {kCudaConvPool, kCudaPointwise,      kCudaDepthwise,      kCudaDirectConv2d,
                                       kCudaConv2d,   kCudaConv2dThenPool, kCudaReferenceConv2d};
  if (device == DeviceKind::kCuda) return kCuda;
  if (device == DeviceKind::kEmulated) return kEmulated;
  return kCpu;
}

}  // namespace cudacards
