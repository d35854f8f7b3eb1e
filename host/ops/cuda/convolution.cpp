#include "host/ops/cuda/convolution.h"

#include "host/runtime/buffer.h"

namespace cudacards::cuda {

ConvolutionKernel::ConvolutionKernel(const Conv2d& conv, const Problem& problem)
    : DeviceKernel(problem),
      conv_(conv.problem(problem.src[0].shape)),
      activation_(conv.options.activation),
      has_bias_(conv.options.bias) {}

std::size_t ConvolutionKernel::masked_bytes() const {
  if (!training_ || activation_ == Activation::kNone) return 0;
  return align_up(static_cast<std::size_t>(conv_.dst_elements()) * size_of(type_));
}

MemoryNeed ConvolutionKernel::memory() const {
  return {.scratchpad = masked_bytes() + (training_ ? workspace() : 0),
          .backward_reads_dst = activation_ != Activation::kNone};
}

void ConvolutionKernel::backward(const BackwardArgs& args) {
  const Stream stream = args.device.stream;
  const void* diff = args.diff_dst;
  if (activation_ != Activation::kNone) {
    const ActivationProblem mask = {.elements = conv_.dst_elements(), .activation = activation_};
    require(kernels_.activation_backward(mask, type_, {args.dst, args.diff_dst, args.scratchpad, GradMode::kOverwrite},
                                         stream, elementwise_tuning(arch_)),
            "convolution, gradient of the activation");
    diff = args.scratchpad;
  }
  if (args.diff_parameters[0] != nullptr) {
    void* workspace = static_cast<std::byte*>(args.scratchpad) + masked_bytes();
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
