// Convolutions by implicit GEMM, and a network's first one, whose few channels have a kernel of their own forward.

#include "host/ops/cuda/convolution.h"
#include "host/ops/cuda/implementations.h"

namespace cudacards {
namespace cuda {
namespace {

class GemmKernel : public ConvolutionKernel {
 public:
  using ConvolutionKernel::ConvolutionKernel;

  void forward(const ForwardArgs& args) override {
    const Conv2dForwardArgs forward = {.src = args.src[0],
                                       .weights = weights(args),
                                       .bias = bias(args.parameters),
                                       .dst = args.dst,
                                       .activation = activation_};
    require(kernels_.conv2d_forward(conv_, type_, forward, args.device.stream, choice()), "convolution, forward");
  }

 private:
  Conv2dChoice choice() const { return {.arch = arch_}; }
  std::size_t workspace() const override { return kernels_.conv2d_backward_weights_workspace(conv_, type_, choice()); }

  Status backward_weights(const BackwardArgs& args, const void* diff, void* workspace) override {
    const Conv2dBackwardWeightsArgs wgrad = {.src = args.src[0],
                                             .diff_dst = diff,
                                             .diff_weights = args.diff_parameters[0],
                                             .diff_bias = bias(args.diff_parameters),
                                             .mode = args.diff_parameters_mode,
                                             .bias_mode = has_bias_ ? args.diff_parameters_mode : GradMode::kIgnore,
                                             .workspace = workspace};
    return kernels_.conv2d_backward_weights(conv_, type_, wgrad, args.device.stream, choice());
  }

  Status backward_data(const BackwardArgs& args, const void* diff) override {
    const Conv2dBackwardDataArgs dgrad = {
        .diff_dst = diff, .weights = weights(args), .diff_src = args.diff_src[0], .mode = args.diff_src_mode[0]};
    return kernels_.conv2d_backward_data(conv_, type_, dgrad, args.device.stream, choice());
  }
};

class DirectKernel final : public GemmKernel {
 public:
  using GemmKernel::GemmKernel;

  void forward(const ForwardArgs& args) override {
    const Conv2dDirectArgs forward = {.src = args.src[0],
                                      .weights = args.parameters[0],
                                      .bias = bias(args.parameters),
                                      .dst = args.dst,
                                      .activation = activation_};
    require(kernels_.conv2d_direct(conv_, type_, type_, forward, args.device.stream), "convolution, forward");
  }
};

Verdict supports_gemm(const Operation& operation, const Problem& problem) {
  const auto& conv = static_cast<const Conv2d&>(operation);
  if (Verdict without = supports_without_pool(conv, problem); !without) return without;
  const Conv2dProblem p = conv.problem(problem.src[0].shape);
  const DType type = problem.src[0].type;
  const KernelTable& kernels = *problem.target.kernels;
  if (Verdict forward = kernels.conv2d_forward_supports(p, type, {}); !forward || !problem.training) return forward;
  if (Verdict data = kernels.conv2d_backward_data_supports(p, type, {}); !data && problem.diff_src_wanted[0])
    return data;
  return kernels.conv2d_backward_weights_supports(p, type, {});
}

Verdict supports_direct(const Operation& operation, const Problem& problem) {
  if (Verdict gemm = supports_gemm(operation, problem); !gemm) return gemm;
  const Conv2dProblem p = static_cast<const Conv2d&>(operation).problem(problem.src[0].shape);
  return problem.target.kernels->conv2d_direct_supports(p, problem.src[0].type, problem.dst.type);
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaDirectConv2d = {"hand:direct", "hand", cuda::supports_direct,
                                                    cuda::make_kernel<cuda::DirectKernel, Conv2d>};
constinit const Implementation kCudaConv2d = {"hand:implicit-gemm", "hand", cuda::supports_gemm,
                                              cuda::make_kernel<cuda::GemmKernel, Conv2d>};

}  // namespace cudacards
