// Any convolution at all, one thread an element, in fp32: groups, strides and filters that no fast kernel takes.

#include "host/ops/cuda/convolution.h"
#include "host/ops/cuda/implementations.h"

namespace cudacards {
namespace cuda {
namespace {

class PlainKernel final : public ConvolutionKernel {
 public:
  using ConvolutionKernel::ConvolutionKernel;

  void forward(const ForwardArgs& args) override {
    const Conv2dPlainForwardArgs forward = {.src = static_cast<const float*>(args.src[0]),
                                            .weights = args.parameters[0],
                                            .bias = bias(args.parameters),
                                            .dst = static_cast<float*>(args.dst),
                                            .activation = activation_};
    require(kernels_.conv2d_plain_forward(conv_, forward, args.device.stream), "convolution, forward");
  }

 private:
  Status backward_weights(const BackwardArgs& args, const void* diff, void*) override {
    const Conv2dPlainWeightsArgs wgrad = {.src = static_cast<const float*>(args.src[0]),
                                          .diff_dst = static_cast<const float*>(diff),
                                          .diff_weights = args.diff_parameters[0],
                                          .diff_bias = bias(args.diff_parameters),
                                          .mode = args.diff_parameters_mode};
    return kernels_.conv2d_plain_backward_weights(conv_, wgrad, args.device.stream);
  }

  Status backward_data(const BackwardArgs& args, const void* diff) override {
    const Conv2dPlainDataArgs dgrad = {.diff_dst = static_cast<const float*>(diff),
                                       .weights = args.parameters[0],
                                       .diff_src = static_cast<float*>(args.diff_src[0]),
                                       .mode = args.diff_src_mode[0]};
    return kernels_.conv2d_plain_backward_data(conv_, dgrad, args.device.stream);
  }
};

Verdict supports_plain_conv2d(const Operation& operation, const Problem& problem) {
  const auto& conv = static_cast<const Conv2d&>(operation);
  if (Verdict without = supports_without_pool(conv, problem); !without) return without;
  if (problem.dst.type != DType::kF32) return Verdict::no("the plain kernel is for fp32");
  return problem.target.kernels->conv2d_plain_supports(conv.problem(problem.src[0].shape));
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaPlainConv2d = {"plain", "reference", cuda::supports_plain_conv2d,
                                                   cuda::make_kernel<cuda::PlainKernel, Conv2d>};

}  // namespace cudacards
