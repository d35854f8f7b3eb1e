// Dense layers: bias and activation in the epilogue, sums of long rows split over the multiprocessors.

#include <algorithm>

#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/cuda/widened.h"
#include "host/ops/ops.h"

namespace cudacards {
namespace cuda {
namespace {

DenseProblem problem_of(const Dense& dense, const Problem& problem) {
  return {.rows = static_cast<int>(problem.src[0].shape[0]),
          .in = static_cast<int>(problem.src[0].shape[1]),
          .units = dense.units,
          .activation = dense.activation,
          .arch = problem.target.arch};
}

class DenseKernel final : public DeviceKernel {
 public:
  DenseKernel(const Dense& dense, const Problem& problem)
      : DeviceKernel(problem), dense_(problem_of(dense, problem)), has_bias_(dense.bias) {}

  MemoryNeed memory() const override {
    const std::size_t backward = training_ ? kernels_.dense_wgrad_workspace_bytes(dense_) : 0;
    return {.scratchpad = std::max(kernels_.dense_forward_workspace_bytes(dense_), backward),
            .backward_reads_dst = dense_.activation != Activation::kNone};
  }

  void forward(const ForwardArgs& args) override {
    const DenseForwardArgs forward = {.src = args.src[0],
                                      .weights = weights(args),
                                      .bias = has_bias_ ? args.parameters[1] : nullptr,
                                      .dst = args.dst,
                                      .workspace = args.scratchpad};
    require(kernels_.dense_forward(dense_, type_, forward, args.device.stream), "dense, forward");
  }

  void backward(const BackwardArgs& args) override {
    const DenseWgradArgs wgrad = {.src = args.src[0],
                                  .diff_dst = args.diff_dst,
                                  .dst = args.dst,
                                  .mode = args.diff_parameters_mode,
                                  .diff_weights = args.diff_parameters[0],
                                  .diff_bias = has_bias_ ? args.diff_parameters[1] : nullptr,
                                  .workspace = args.scratchpad};
    if (wgrad.diff_weights != nullptr)
      require(kernels_.dense_wgrad(dense_, type_, wgrad, args.device.stream), "dense, gradient of the weights");
    const DenseDgradArgs dgrad = {.diff_dst = args.diff_dst,
                                  .dst = args.dst,
                                  .weights = weights(args),
                                  .mode = args.diff_src_mode[0],
                                  .diff_src = args.diff_src[0]};
    require(kernels_.dense_dgrad(dense_, type_, dgrad, args.device.stream), "dense, gradient of the source");
  }

 private:
  const DenseProblem dense_;
  const bool has_bias_;
};

Verdict supports(const Operation& operation, const Problem& problem) {
  if (Verdict types = supports_one_type(problem); !types) return types;
  return problem.target.kernels->dense_supports(problem_of(static_cast<const Dense&>(operation), problem),
                                                problem.src[0].type);
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaDense = {"hand:dense", "hand", cuda::supports,
                                             cuda::make_kernel<cuda::DenseKernel, Dense>};
constinit const Implementation kCudaReferenceDense = cuda::widened<kCudaDense>();

}  // namespace cudacards
