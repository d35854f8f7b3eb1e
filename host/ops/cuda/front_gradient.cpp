#include "host/ops/cuda/front_gradient.h"

#include "host/runtime/buffer.h"
#include "host/runtime/device.h"

namespace cudacards::cuda {

FrontGradient::FrontGradient(const Problem& problem, Activation activation, DType type)
    : kernels_(*problem.target.kernels),
      dst_(problem.dst),
      activation_(activation),
      type_(type),
      arch_(problem.target.arch) {}

std::size_t FrontGradient::masked_bytes() const {
  return activation_ == Activation::kNone ? 0 : align_up(dst_.bytes());
}

std::size_t FrontGradient::scratchpad_bytes() const {
  const bool is_rounded = type_ != dst_.type;
  return masked_bytes() + (is_rounded ? align_up(static_cast<std::size_t>(dst_.shape.elements()) * size_of(type_)) : 0);
}

const void* FrontGradient::of(const void* dst, const void* diff_dst, void* scratchpad, Stream stream) const {
  const std::int64_t elements = dst_.shape.elements();
  const void* diff = diff_dst;
  if (activation_ != Activation::kNone) {
    const ActivationProblem mask = {.elements = elements, .activation = activation_};
    require(kernels_.activation_backward(mask, dst_.type, {dst, diff, scratchpad, GradMode::kOverwrite}, stream,
                                         elementwise_tuning(arch_)),
            "activation, backward");
    diff = scratchpad;
  }
  if (type_ == dst_.type) return diff;
  void* rounded = static_cast<std::byte*>(scratchpad) + masked_bytes();
  require(kernels_.cast({.elements = elements, .from = dst_.type, .to = type_}, {diff, rounded}, stream), "cast");
  return rounded;
}

}  // namespace cudacards::cuda
