// folded_weights[k, i] = weights[k, i] * scale[k], folded_bias[k] = (bias[k] - mean[k]) * scale[k] + beta[k],
// scale[k] = gamma[k] / sqrt(variance[k] + epsilon)
//
//   a warp a filter: lane l takes weights l, l + 32, ... of (K, per_filter); lane 0 the bias
//
// Reads 4 and writes 4 or 2 bytes a weight, once a model (export, or before serving): simple rather than fast. One
// element a lane because a depthwise filter has nine.

#include "kernels/base/arrays.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/simt/launch.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/warp.h"

namespace cudacards {
namespace {

constexpr int kWarps = 8;

template <class T>
__global__ void __launch_bounds__(kWarps* kWarpSize)
    fold_batch_norm_kernel(FoldBatchNormProblem p, FoldBatchNormArgs args, T* folded_weights) {
  const int filter = static_cast<int>(blockIdx.x) * kWarps + warp_index();
  if (filter >= p.filters) return;
  const float scale = args.gamma[filter] / sqrtf(args.variance[filter] + p.epsilon);
  const std::int64_t first = filter * p.per_filter;
  for (std::int64_t i = lane_index(); i < p.per_filter; i += kWarpSize)
    folded_weights[first + i] = from_float<T>(args.weights[first + i] * scale);
  if (lane_index() != 0) return;
  const float bias = args.bias == nullptr ? 0.0f : args.bias[filter];
  args.folded_bias[filter] = (bias - args.mean[filter]) * scale + args.beta[filter];
}

template <class T>
Status start(const FoldBatchNormProblem& p, const FoldBatchNormArgs& args, Stream stream) {
  const int blocks = (p.filters + kWarps - 1) / kWarps;
  return launch(fold_batch_norm_kernel<T>,
                {.grid = dim3(static_cast<unsigned>(blocks)),
                 .block = dim3(kWarps * kWarpSize),
                 .shared_bytes = 0,
                 .stream = stream},
                p, args, static_cast<T*>(args.folded_weights));
}

}  // namespace

Verdict fold_batch_norm_supports(const FoldBatchNormProblem& problem, DType type) {
  if (type != DType::kF32 && type != DType::kBf16) return Verdict::no(std::string("no weights of ") + name_of(type));
  if (problem.filters < 1 || problem.per_filter < 1) return Verdict::no("a weight is needed at least");
  if (!(problem.epsilon >= 0)) return Verdict::no("epsilon must not be negative");
  return Verdict::yes();
}

Status fold_batch_norm(const FoldBatchNormProblem& problem, DType type, const FoldBatchNormArgs& args, Stream stream) {
  if (const Verdict verdict = fold_batch_norm_supports(problem, type); !verdict)
    return Status::failed("fold_batch_norm: " + verdict.reason());
  if (Status status = check_arrays("fold_batch_norm",
                                   {{"weights", args.weights, 4},
                                    {"gamma", args.gamma, 4},
                                    {"beta", args.beta, 4},
                                    {"mean", args.mean, 4},
                                    {"variance", args.variance, 4},
                                    {"folded_weights", args.folded_weights, static_cast<int>(size_of(type))},
                                    {"folded_bias", args.folded_bias, 4}},
                                   {{"bias", args.bias, 4}});
      !status)
    return status;
  return type == DType::kF32 ? start<float>(problem, args, stream) : start<__nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards
