// What batch_norm.h offers: checks, then the steps of the other files here. Training is three launches, backward up to
// three, inference one.

#include "kernels/batch_norm/batch_norm.h"

#include <algorithm>

#include "kernels/batch_norm/kernels.cuh"

namespace cudacards {
namespace {

bool is_aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0; }

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
  if (!is_aligned(args.src) || !is_aligned(args.dst) || !is_aligned(args.workspace))
    return Status::failed("batch_norm_training: src, dst and workspace must be 16-byte aligned");
  if (Status status = batch_norm_statistics(problem, type, args, stream); !status) return status;
  return batch_norm_normalise(problem, type, BatchNormStatistics::kBatch, args.src,
                              {args.gamma, args.beta, args.saved_mean, args.saved_rstd}, args.dst, stream);
}

Status batch_norm_inference(const BatchNormProblem& problem, DType type, const BatchNormInferenceArgs& args,
                            Stream stream) {
  if (Status status = checked("batch_norm_inference", problem, type); !status) return status;
  if (!is_aligned(args.src) || !is_aligned(args.dst))
    return Status::failed("batch_norm_inference: src and dst must be 16-byte aligned");
  return batch_norm_normalise(problem, type, BatchNormStatistics::kRunning, args.src,
                              {args.gamma, args.beta, args.mean, args.variance}, args.dst, stream);
}

Status batch_norm_backward(const BatchNormProblem& problem, DType type, const BatchNormBackwardArgs& args,
                           Stream stream) {
  if (Status status = checked("batch_norm_backward", problem, type); !status) return status;
  if (!is_aligned(args.src) || !is_aligned(args.diff_dst) || !is_aligned(args.diff_src) || !is_aligned(args.workspace))
    return Status::failed("batch_norm_backward: src, diff_dst, diff_src and workspace must be 16-byte aligned");
  return batch_norm_backward_steps(problem, type, args, stream);
}

}  // namespace cudacards
