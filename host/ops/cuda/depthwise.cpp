// Depthwise convolutions: one filter a channel, read in fp32 in every precision.

#include "host/ops/cuda/convolution.h"
#include "host/ops/cuda/implementations.h"

namespace cudacards {
namespace cuda {
namespace {

class DepthwiseKernel final : public ConvolutionKernel {
 public:
  using ConvolutionKernel::ConvolutionKernel;

  void forward(const ForwardArgs& args) override {
    const DepthwiseForwardArgs forward = {.src = args.src[0],
                                          .weights = args.parameters[0],
                                          .shift = bias(args.parameters),
                                          .activation = activation_,
                                          .dst = args.dst};
    require(kernels_.depthwise_forward(conv_, type_, forward, args.device.stream, depthwise_tuning(arch_)),
            "depthwise convolution, forward");
  }

 private:
  std::size_t workspace() const override {
    return kernels_.depthwise_backward_weights_workspace(conv_, type_, depthwise_tuning(arch_));
  }

  Status backward_weights(const BackwardArgs& args, const void* diff, void* workspace) override {
    const DepthwiseBackwardWeightsArgs wgrad = {.src = args.src[0],
                                                .diff_dst = diff,
                                                .diff_weights = args.diff_parameters[0],
                                                .diff_bias = bias(args.diff_parameters),
                                                .mode = args.diff_parameters_mode,
                                                .workspace = static_cast<float*>(workspace)};
    return kernels_.depthwise_backward_weights(conv_, type_, wgrad, args.device.stream, depthwise_tuning(arch_));
  }

  Status backward_data(const BackwardArgs& args, const void* diff) override {
    const DepthwiseBackwardDataArgs dgrad = {.diff_dst = diff,
                                             .weights = args.parameters[0],
                                             .diff_src = args.diff_src[0],
                                             .diff_src_mode = args.diff_src_mode[0]};
    return kernels_.depthwise_backward_data(conv_, type_, dgrad, args.device.stream, depthwise_tuning(arch_));
  }
};

Verdict supports_depthwise(const Operation& operation, const Problem& problem) {
  const auto& conv = static_cast<const Conv2d&>(operation);
  if (Verdict without = supports_without_pool(conv, problem); !without) return without;
  return problem.target.kernels->depthwise_supports(conv.problem(problem.src[0].shape), problem.src[0].type);
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaDepthwise = {"hand:depthwise", "hand", cuda::supports_depthwise,
                                                 cuda::make_kernel<cuda::DepthwiseKernel, Conv2d>};

}  // namespace cudacards
