#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/cuda/widened.h"
#include "host/ops/ops.h"

namespace cudacards {
namespace cuda {
namespace {

SoftmaxProblem problem_of(const Problem& problem) {
  const Shape& shape = problem.dst.shape;
  const std::int64_t classes = shape[shape.rank() - 1];
  return {.rows = shape.elements() / classes, .classes = static_cast<int>(classes)};
}

class SoftmaxKernel final : public DeviceKernel {
 public:
  SoftmaxKernel(const Softmax&, const Problem& problem) : DeviceKernel(problem), softmax_(problem_of(problem)) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false, .backward_reads_dst = true}; }

  void forward(const ForwardArgs& args) override {
    require(kernels_.softmax(softmax_, type_, {args.src[0], args.dst}, args.device.stream), "softmax, forward");
  }

  void backward(const BackwardArgs& args) override {
    require(
        kernels_.softmax_backward(softmax_, type_, {args.dst, args.diff_dst, args.diff_src[0], args.diff_src_mode[0]},
                                  args.device.stream),
        "softmax, backward");
  }

 private:
  const SoftmaxProblem softmax_;
};

Verdict supports_softmax(const Operation&, const Problem& problem) {
  if (Verdict types = supports_one_type(problem); !types) return types;
  return problem.target.kernels->softmax_supports(problem_of(problem), problem.src[0].type);
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaSoftmax = {"hand:softmax", "hand", cuda::supports_softmax,
                                               cuda::make_kernel<cuda::SoftmaxKernel, Softmax>};
constinit const Implementation kCudaReferenceSoftmax = cuda::widened<kCudaSoftmax>();

}  // namespace cudacards
