// Max pool and global average pool.

#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/cuda/widened.h"
#include "host/ops/ops.h"

namespace cudacards {
namespace cuda {
namespace {

class MaxPoolKernel final : public DeviceKernel {
 public:
  MaxPoolKernel(const MaxPool2d& pool, const Problem& problem)
      : DeviceKernel(problem), pool_(pool.problem(problem.src[0].shape)) {}

  MemoryNeed memory() const override {
    return {.workspace = training_ ? static_cast<std::size_t>(pool_.argmax_bytes()) : 0, .backward_reads_src = false};
  }

  void forward(const ForwardArgs& args) override {
    const MaxPoolForwardArgs forward = {args.src[0], args.dst, args.workspace};
    require(kernels_.max_pool_forward(pool_, type_, forward, args.device.stream, pool_tuning(arch_)),
            "max pool, forward");
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    const MaxPoolBackwardArgs backward = {args.diff_dst, args.workspace, args.diff_src[0], args.diff_src_mode[0]};
    require(kernels_.max_pool_backward(pool_, type_, backward, args.device.stream, pool_tuning(arch_)),
            "max pool, backward");
  }

 private:
  const Pool2dProblem pool_;
};

Verdict supports_max_pool(const Operation& operation, const Problem& problem) {
  if (Verdict types = supports_one_type(problem); !types) return types;
  return problem.target.kernels->max_pool_supports(
      static_cast<const MaxPool2d&>(operation).problem(problem.src[0].shape), problem.src[0].type);
}

GlobalPoolProblem problem_of(const Problem& problem) {
  const Shape& src = problem.src[0].shape;
  return {.n = static_cast<int>(src[0]), .pixels = static_cast<int>(src[1] * src[2]), .c = static_cast<int>(src[3])};
}

class GlobalAveragePoolKernel final : public DeviceKernel {
 public:
  GlobalAveragePoolKernel(const GlobalAveragePool2d&, const Problem& problem)
      : DeviceKernel(problem), pool_(problem_of(problem)) {}

  MemoryNeed memory() const override { return {.backward_reads_src = false}; }

  void forward(const ForwardArgs& args) override {
    require(kernels_.global_average_pool_forward(pool_, type_, {args.src[0], args.dst}, args.device.stream),
            "global average pool, forward");
  }

  void backward(const BackwardArgs& args) override {
    if (args.diff_src_mode[0] == GradMode::kIgnore) return;
    require(
        kernels_.global_average_pool_backward(pool_, type_, {args.diff_dst, args.diff_src[0], args.diff_src_mode[0]},
                                              args.device.stream, pool_tuning(arch_)),
        "global average pool, backward");
  }

 private:
  const GlobalPoolProblem pool_;
};

Verdict supports_global_average_pool(const Operation&, const Problem& problem) {
  if (Verdict types = supports_one_type(problem); !types) return types;
  return problem.target.kernels->global_average_pool_supports(problem_of(problem), problem.src[0].type);
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaMaxPool = {"hand:max-pool", "hand", cuda::supports_max_pool,
                                               cuda::make_kernel<cuda::MaxPoolKernel, MaxPool2d>};
constinit const Implementation kCudaReferenceMaxPool = cuda::widened<kCudaMaxPool>();
constinit const Implementation kCudaGlobalAveragePool = {
    "hand:global-average-pool", "hand", cuda::supports_global_average_pool,
    cuda::make_kernel<cuda::GlobalAveragePoolKernel, GlobalAveragePool2d>};
constinit const Implementation kCudaReferenceGlobalAveragePool = cuda::widened<kCudaGlobalAveragePool>();

}  // namespace cudacards
