// Batch normalisation with the activation behind it, whose mask backward computes again.

#include "host/ops/cuda/device_kernel.h"
#include "host/ops/cuda/implementations.h"
#include "host/ops/cuda/widened.h"
#include "host/ops/ops.h"
#include "host/runtime/buffer.h"

namespace cudacards {
namespace cuda {
namespace {

BatchNormProblem problem_of(const BatchNorm& norm, const Problem& problem) {
  const Shape& shape = problem.dst.shape;
  const std::int64_t channels = shape[shape.rank() - 1];
  return {.rows = shape.elements() / channels,
          .channels = static_cast<int>(channels),
          .epsilon = norm.epsilon,
          .momentum = norm.momentum,
          .activation = norm.activation};
}

class BatchNormKernel final : public DeviceKernel {
 public:
  BatchNormKernel(const BatchNorm& norm, const Problem& problem)
      : DeviceKernel(problem), norm_(problem_of(norm, problem)), frozen_(!problem.diff_parameters_wanted) {}

  /// The batch's mean, then 1 / its standard deviation, kept for backward.
  MemoryNeed memory() const override {
    if (!training_) return {};
    return {.workspace = frozen_ ? 0 : saved_bytes() * 2, .scratchpad = kernels_.batch_norm_workspace(norm_, type_)};
  }

  void forward(const ForwardArgs& args) override {
    enum { kGamma, kBeta, kMean, kVariance };
    if (!args.step.training || frozen_) {
      const BatchNormInferenceArgs inference = {.src = args.src[0],
                                                .gamma = args.parameters[kGamma],
                                                .beta = args.parameters[kBeta],
                                                .mean = args.parameters[kMean],
                                                .variance = args.parameters[kVariance],
                                                .dst = args.dst};
      require(kernels_.batch_norm_inference(norm_, type_, inference, args.device.stream), "batch norm, inference");
      return;
    }
    const BatchNormTrainingArgs training = {.src = args.src[0],
                                            .gamma = args.parameters[kGamma],
                                            .beta = args.parameters[kBeta],
                                            .dst = args.dst,
                                            .saved_mean = saved_mean(args.workspace),
                                            .saved_rstd = saved_rstd(args.workspace),
                                            .running_mean = args.parameters[kMean],
                                            .running_variance = args.parameters[kVariance],
                                            .workspace = args.scratchpad};
    require(kernels_.batch_norm_training(norm_, type_, training, args.device.stream), "batch norm, forward");
  }

  void backward(const BackwardArgs& args) override {
    const BatchNormBackwardArgs backward = {
        .src = args.src[0],
        .diff_dst = args.diff_dst,
        .gamma = args.parameters[0],
        .beta = args.parameters[1],
        .mean = frozen_ ? args.parameters[2] : saved_mean(args.workspace),
        .spread = frozen_ ? args.parameters[3] : saved_rstd(args.workspace),
        .statistics = frozen_ ? BatchNormStatistics::kRunning : BatchNormStatistics::kBatch,
        .diff_src = args.diff_src[0],
        .diff_gamma = args.diff_parameters[0],
        .diff_beta = args.diff_parameters[1],
        .diff_src_mode = args.diff_src_mode[0],
        .diff_parameters_mode = frozen_ ? GradMode::kIgnore : args.diff_parameters_mode,
        .workspace = args.scratchpad};
    require(kernels_.batch_norm_backward(norm_, type_, backward, args.device.stream), "batch norm, backward");
  }

 private:
  std::size_t saved_bytes() const { return align_up(static_cast<std::size_t>(norm_.channels) * sizeof(float)); }
  static float* saved_mean(void* workspace) { return static_cast<float*>(workspace); }
  float* saved_rstd(void* workspace) const {
    return reinterpret_cast<float*>(static_cast<std::byte*>(workspace) + saved_bytes());
  }

  const BatchNormProblem norm_;
  const bool frozen_;
};

Verdict supports_batch_norm(const Operation& operation, const Problem& problem) {
  if (Verdict types = supports_one_type(problem); !types) return types;
  return problem.target.kernels->batch_norm_supports(problem_of(static_cast<const BatchNorm&>(operation), problem),
                                                     problem.src[0].type);
}

}  // namespace
}  // namespace cuda

constinit const Implementation kCudaBatchNorm = {"hand:batch-norm", "hand", cuda::supports_batch_norm,
                                                 cuda::make_kernel<cuda::BatchNormKernel, BatchNorm>};
constinit const Implementation kCudaReferenceBatchNorm = cuda::widened<kCudaBatchNorm>();

}  // namespace cudacards
