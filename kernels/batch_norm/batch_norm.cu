// What batch_norm.h offers: checks, then the steps of the other files here. Training is three launches, backward up to
// three, inference one.

#include "kernels/batch_norm/batch_norm.h"

#include <algorithm>

#include "kernels/base/arrays.h"
#include "kernels/batch_norm/kernels.cuh"

namespace cudacards {
namespace {

Status checked(const char* function, const BatchNormProblem& problem, DType type) {
  const Verdict verdict = batch_norm_supports(problem, type);
  return verdict ? Status::ok() : Status::failed(std::string(function) + ": " + verdict.reason());
}

}  // namespace

Verdict batch_norm_supports(const BatchNormProblem& problem, DType type) {
  if (type != DType::kF32 && type != DType::kBf16) return Verdict::no(std::string("no batch norm of ") + name_of(type));
  if (problem.rows < 1 || problem.rows >= std::int64_t{1} << 31) return Verdict::no("rows must be 1 ... 2^31 - 1");
  if (problem.channels < 1 || problem.channels > 1 << 20) return Verdict::no("channels must be 1 ... 2^20");
  if (!(problem.epsilon >= 0)) return Verdict::no("epsilon must not be negative");
  if (!(problem.momentum >= 0 && problem.momentum <= 1)) return Verdict::no("momentum must be 0 ... 1");
  return Verdict::yes();
}

std::size_t batch_norm_workspace(const BatchNormProblem& problem, DType type) {
  if (!batch_norm_supports(problem, type)) return 0;
  const SlabGeometry g = reduce_geometry(problem, batch_norm_vector(problem.channels, type));
  return sizeof(float) * 2 * (static_cast<std::size_t>(g.slabs) + 1) * static_cast<std::size_t>(problem.channels);
}

Status batch_norm_training(const BatchNormProblem& problem, DType type, const BatchNormTrainingArgs& args,
                           Stream stream) {
  if (Status status = checked("batch_norm_training", problem, type); !status) return status;
  // The running statistics come in twos: one without the other is a mistake.
  const void* running_variance = args.running_mean == nullptr ? args.src : args.running_variance;
  if (Status status = check_arrays("batch_norm_training",
                                   {{"src", args.src},
                                    {"dst", args.dst},
                                    {"workspace", args.workspace},
                                    {"gamma", args.gamma, 4},
                                    {"beta", args.beta, 4},
                                    {"saved_mean", args.saved_mean, 4},
                                    {"saved_rstd", args.saved_rstd, 4},
                                    {"running_variance", running_variance, 4}},
                                   {{"running_mean", args.running_mean, 4}});
      !status)
    return status;
  if (Status status = batch_norm_statistics(problem, type, args, stream); !status) return status;
  return batch_norm_normalise(problem, type, BatchNormStatistics::kBatch, args.src,
                              {args.gamma, args.beta, args.saved_mean, args.saved_rstd}, args.dst, stream);
}

Status batch_norm_inference(const BatchNormProblem& problem, DType type, const BatchNormInferenceArgs& args,
                            Stream stream) {
  if (Status status = checked("batch_norm_inference", problem, type); !status) return status;
  if (Status status = check_arrays("batch_norm_inference", {{"src", args.src},
                                                            {"dst", args.dst},
                                                            {"gamma", args.gamma, 4},
                                                            {"beta", args.beta, 4},
                                                            {"mean", args.mean, 4},
                                                            {"variance", args.variance, 4}});
      !status)
    return status;
  return batch_norm_normalise(problem, type, BatchNormStatistics::kRunning, args.src,
                              {args.gamma, args.beta, args.mean, args.variance}, args.dst, stream);
}

Status batch_norm_backward(const BatchNormProblem& problem, DType type, const BatchNormBackwardArgs& args,
                           Stream stream) {
  if (Status status = checked("batch_norm_backward", problem, type); !status) return status;
  const bool wants_data = args.diff_src_mode != GradMode::kIgnore;
  const bool needs_sums =
      args.diff_parameters_mode != GradMode::kIgnore || (wants_data && args.statistics == BatchNormStatistics::kBatch);
  if (Status status = check_arrays("batch_norm_backward",
                                   {{"src", args.src},
                                    {"diff_dst", args.diff_dst},
                                    {"diff_src", wants_data ? args.diff_src : args.src},
                                    {"workspace", needs_sums ? args.workspace : args.src},
                                    {"gamma", args.gamma, 4},
                                    {"beta", args.beta, 4},
                                    {"mean", args.mean, 4},
                                    {"spread", args.spread, 4}},
                                   {{"diff_gamma", args.diff_gamma, 4}, {"diff_beta", args.diff_beta, 4}});
      !status)
    return status;
  return batch_norm_backward_steps(problem, type, args, stream);
}

}  // namespace cudacards
