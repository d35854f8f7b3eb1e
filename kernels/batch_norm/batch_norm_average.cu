// running = momentum * running + (1 - momentum) * batch, from the batch's mean and 1 / sqrt(variance + epsilon).
//
//   a thread a channel
//
// Moves 24 bytes a channel, at most some thousand channels: a launch's time and nothing else.

#include "kernels/base/arrays.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/simt/launch.h"

namespace cudacards {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) batch_norm_average_kernel(BatchNormProblem p, BatchNormAverageArgs args) {
  const int channel = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (channel >= p.channels) return;
  const float rstd = args.rstd[channel];
  const float variance = 1.0f / (rstd * rstd) - p.epsilon;
  const float batch = variance < 0 ? 0.0f : variance;  // a NaN stays one
  const float share = 1.0f - p.momentum;
  args.running_mean[channel] = p.momentum * args.running_mean[channel] + share * args.mean[channel];
  args.running_variance[channel] = p.momentum * args.running_variance[channel] + share * batch;
}

}  // namespace

Status batch_norm_average(const BatchNormProblem& problem, const BatchNormAverageArgs& args, Stream stream) {
  if (const Verdict verdict = batch_norm_supports(problem, DType::kF32); !verdict)
    return Status::failed("batch_norm_average: " + verdict.reason());
  if (Status status = check_arrays("batch_norm_average", {{"mean", args.mean, 4},
                                                          {"rstd", args.rstd, 4},
                                                          {"running_mean", args.running_mean, 4},
                                                          {"running_variance", args.running_variance, 4}});
      !status)
    return status;
  const int blocks = (problem.channels + kThreads - 1) / kThreads;
  return launch(
      batch_norm_average_kernel,
      {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads), .shared_bytes = 0, .stream = stream},
      problem, args);
}

}  // namespace cudacards
