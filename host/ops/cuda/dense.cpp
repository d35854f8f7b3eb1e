// Dense layers: bias and activation in the epilogue, sums of long rows split over the multiprocessors. A model's scores
// are fp32 behind bf16 products, and their gradient is rounded before it is multiplied.

#include <algorithm>

#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/front_gradient.h"
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
          .factors = problem.tf32 ? Factors::kTf32 : Factors::kExact,
          .arch = problem.target.arch};
}

class DenseKernel final : public DeviceKernel {
 public:
  DenseKernel(const Dense& dense, const Problem& problem)
      : DeviceKernel(problem),
        dense_(problem_of(dense, problem)),
        dst_type_(problem.dst.type),
        has_bias_(dense.bias),
        front_(problem, dense.activation, type_) {}

  MemoryNeed memory() const override {
    const std::size_t backward = training_ ? front_bytes() + kernels_.dense_wgrad_workspace_bytes(dense_) : 0;
    return {.scratchpad = std::max(kernels_.dense_forward_workspace_bytes(dense_), backward),
            .backward_reads_dst = dense_.activation != Activation::kNone};
  }

  void forward(const ForwardArgs& args) override {
    const DenseForwardArgs forward = {.src = args.src[0],
                                      .weights = weights(args),
                                      .bias = has_bias_ ? args.parameters[1] : nullptr,
                                      .dst = args.dst,
                                      .workspace = args.scratchpad};
    require(kernels_.dense_forward(dense_, type_, dst_type_, forward, args.device.stream), "dense, forward");
  }

  void backward(const BackwardArgs& args) override {
    const Stream stream = args.device.stream;
    DenseProblem products = dense_;
    const void* diff = args.diff_dst;
    if (is_front_made()) {
      products.activation = Activation::kNone;
      diff = front_.of(args.dst, args.diff_dst, args.scratchpad, stream);
    }
    const DenseWgradArgs wgrad = {.src = args.src[0],
                                  .diff_dst = diff,
                                  .dst = args.dst,
                                  .mode = args.diff_parameters_mode,
                                  .diff_weights = args.diff_parameters[0],
                                  .diff_bias = has_bias_ ? args.diff_parameters[1] : nullptr,
                                  .workspace = static_cast<std::byte*>(args.scratchpad) + front_bytes()};
    if (wgrad.diff_weights != nullptr)
      require(kernels_.dense_wgrad(products, type_, wgrad, stream), "dense, gradient of the weights");
    const DenseDgradArgs dgrad = {.diff_dst = diff,
                                  .dst = args.dst,
                                  .weights = weights(args),
                                  .mode = args.diff_src_mode[0],
                                  .diff_src = args.diff_src[0]};
    require(kernels_.dense_dgrad(products, type_, dgrad, stream), "dense, gradient of the source");
  }

  bool rounds_to_tf32() const override { return dense_.factors == Factors::kTf32; }

 private:
  /// The kernels mask a gradient of their own type as they load it; fp32 behind bf16 products takes a pass before them.
  bool is_front_made() const { return dst_type_ != type_; }
  std::size_t front_bytes() const { return is_front_made() ? front_.scratchpad_bytes() : 0; }

  const DenseProblem dense_;
  const DType dst_type_;
  const bool has_bias_;
  const FrontGradient front_;
};

Verdict supports(const Operation& operation, const Problem& problem) {
  return problem.target.kernels->dense_forward_supports(problem_of(static_cast<const Dense&>(operation), problem),
                                                        problem.src[0].type, problem.dst.type);
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaDense = {"hand:dense", "hand", cuda::supports,
                                             cuda::make_kernel<cuda::DenseKernel, Dense>};
constinit const Implementation kCudaReferenceDense = cuda::widened<kCudaDense>();

}  // namespace cudacards
