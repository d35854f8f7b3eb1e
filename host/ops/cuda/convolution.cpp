#include "host/ops/cuda/convolution.h"

namespace cudacards::cuda {

ConvolutionKernel::ConvolutionKernel(const Conv2d& conv, const Problem& problem)
    : DeviceKernel(problem),
      conv_(conv.problem(problem.src[0].shape)),
      activation_(conv.options.activation),
      has_bias_(conv.options.bias),
      front_(problem, activation_, type_) {}

MemoryNeed ConvolutionKernel::memory() const {
  return {.scratchpad = training_ ? front_.scratchpad_bytes() + workspace() : 0,
          .backward_reads_dst = activation_ != Activation::kNone};
}

void ConvolutionKernel::backward(const BackwardArgs& args) {
  const void* diff = front_.of(args.dst, args.diff_dst, args.scratchpad, args.device.stream);
  if (args.diff_parameters[0] != nullptr) {
    void* workspace = static_cast<std::byte*>(args.scratchpad) + front_.scratchpad_bytes();
    require(backward_weights(args, diff, workspace), "convolution, gradient of the weights");
  }
  if (args.diff_src_mode[0] != GradMode::kIgnore)
    require(backward_data(args, diff), "convolution, gradient of the source");
}

Verdict supports_without_pool(const Conv2d& conv, const Problem& problem) {
  if (conv.pool) return Verdict::no("a pool behind the convolution");
  return supports_one_type(problem);
}

}  // namespace cudacards::cuda
