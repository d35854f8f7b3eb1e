// Convolution 3x3, bias, activation and 2x2 max pool in one kernel; what is between them is never stored.

#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/ops.h"

namespace cudacards {
namespace cuda {
namespace {

ConvPoolProblem problem_of(const Conv2d& conv, const Problem& problem) {
  return {.conv = conv.problem(problem.src[0].shape), .activation = conv.options.activation};
}

class ConvPoolKernel final : public DeviceKernel {
 public:
  ConvPoolKernel(const Conv2d& conv, const Problem& problem)
      : DeviceKernel(problem), conv_(problem_of(conv, problem)), has_bias_(conv.options.bias) {}

  MemoryNeed memory() const override {
    if (!training_) return {};
    return {.workspace = static_cast<std::size_t>(conv_.argmax_words()) * sizeof(std::uint32_t),
            .scratchpad = kernels_.conv_pool_workspace_bytes(conv_, type_),
            .backward_reads_dst = conv_.activation != Activation::kNone};
  }

  void forward(const ForwardArgs& args) override {
    const ConvPoolForwardArgs forward = {.src = args.src[0],
                                         .weights = weights(args),
                                         .bias = has_bias_ ? args.parameters[1] : nullptr,
                                         .dst = args.dst,
                                         .argmax = static_cast<std::uint32_t*>(args.workspace)};
    require(kernels_.conv_pool_forward(conv_, type_, forward, args.device.stream), "convolution and pool, forward");
  }

  void backward(const BackwardArgs& args) override {
    const auto* argmax = static_cast<const std::uint32_t*>(args.workspace);
    if (args.diff_parameters[0] != nullptr) {
      const ConvPoolWeightsArgs wgrad = {.src = args.src[0],
                                         .diff_dst = args.diff_dst,
                                         .dst = args.dst,
                                         .argmax = argmax,
                                         .mode = args.diff_parameters_mode,
                                         .diff_weights = args.diff_parameters[0],
                                         .diff_bias = has_bias_ ? args.diff_parameters[1] : nullptr,
                                         .workspace = static_cast<float*>(args.scratchpad)};
      require(kernels_.conv_pool_backward_weights(conv_, type_, wgrad, args.device.stream),
              "convolution and pool, gradient of the weights");
    }
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    const ConvPoolDataArgs dgrad = {.diff_dst = args.diff_dst,
                                    .dst = args.dst,
                                    .argmax = argmax,
                                    .weights = weights(args),
                                    .mode = args.diff_src_mode[0],
                                    .diff_src = args.diff_src[0]};
    require(kernels_.conv_pool_backward_data(conv_, type_, dgrad, args.device.stream),
            "convolution and pool, gradient of the source");
  }

 private:
  const ConvPoolProblem conv_;
  const bool has_bias_;
};

Verdict supports(const Operation& operation, const Problem& problem) {
  const auto& conv = static_cast<const Conv2d&>(operation);
  if (!conv.pool) return Verdict::no("no pool behind the convolution");
  if (conv.pool->window != Extent2d{2} || conv.pool->step() != Extent2d{2})
    return Verdict::no("the pool must be 2x2 of stride 2");
  if (Verdict types = supports_one_type(problem); !types) return types;
  const ConvPoolProblem p = problem_of(conv, problem);
  const DType type = problem.src[0].type;
  const KernelTable& kernels = *problem.target.kernels;
  if (Verdict forward = kernels.conv_pool_supports(p, type); !forward || !problem.training) return forward;
  if (Verdict data = kernels.conv_pool_backward_data_supports(p, type); !data && problem.diff_src_wanted[0])
    return data;
  return kernels.conv_pool_backward_weights_supports(p, type);
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaConvPool = {"hand:conv-pool", "hand", cuda::supports,
                                                cuda::make_kernel<cuda::ConvPoolKernel, Conv2d>};

}  // namespace cudacards
