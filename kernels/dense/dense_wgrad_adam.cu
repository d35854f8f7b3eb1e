// g = (diff_dst (rows,units) * activation'(dst))^T * src (rows,in), and at once AdamRule of kernels/optimizer/rule.cuh:
// m += (g - m) * (1 - beta1);  v += (g * g - v) * (1 - beta2)
// w = (w - decay * w) - rate * m / (sqrt(v) + epsilon)
//
// The product is dense_wgrad's; here a lane's four gradients stay in its registers and it reads and writes the same
// four of w, m and v, 16 bytes each: the gradient is never in memory, which saves 8 of the 32 bytes a weight that the
// plain path moves. The bias gradient is written as always; its update is small and left to the optimizer.
//
//   units x in in tiles of 128 x 128 (32 x 128, 128 x 32), the whole k = rows in one block
//
// Bytes: problem.wgrad_adam_bytes(), that is 24 a weight (26 with the bf16 copy); 4 FLOPs a row and weight, so bound by
// memory up to some hundred rows. Given the same gradient, the bytes are those of the optimizer's kernel and the CPU's.

#include "kernels/dense/checks.h"
#include "kernels/dense/dense.h"
#include "kernels/matmul/launch.cuh"
#include "kernels/optimizer/rule.cuh"

namespace cudacards {
namespace {

/// Where the rule and its numbers have been read.
struct ReadyAdam {
  DenseWgradAdamArgs args;
  AdamRule rule;

  __device__ __forceinline__ void quad(const QuadPlace& place, const Quad& gradient) const {
    Quad w = load_quad<float>(args.weights, place.offset, place);
    Quad m = load_quad<float>(args.moment1, place.offset, place);
    Quad v = load_quad<float>(args.moment2, place.offset, place);
#pragma unroll
    for (int i = 0; i < 4; ++i) rule.update(w[i], gradient[i], m[i], v[i]);
    store_quad(args.weights, place.offset, place, w);
    store_quad(args.moment1, place.offset, place, m);
    store_quad(args.moment2, place.offset, place, v);
    if (args.bf16_weights != nullptr)
      store_quad(static_cast<__nv_bfloat16*>(args.bf16_weights), place.offset, place, w);
    if (args.average == nullptr) return;
    Quad average = load_quad<float>(args.average, place.offset, place);
#pragma unroll
    for (int i = 0; i < 4; ++i) average[i] = moved_average(average[i], args.clock->average_decay, w[i]);
    store_quad(args.average, place.offset, place, average);
  }
  __device__ __forceinline__ void row_sum(int row, float sum) const {
    if (args.diff_bias == nullptr || args.bias_mode == GradMode::kIgnore) return;
    args.diff_bias[row] = args.bias_mode == GradMode::kAccumulate ? args.diff_bias[row] + sum : sum;
  }
};

struct AdamEpilogue {
  static constexpr RowSums kSums = RowSums::kYes;
  DenseUpdate update;
  DenseWgradAdamArgs args;

  __device__ __forceinline__ ReadyAdam ready() const {
    return {args, AdamRule::of(update.options, *args.clock, update.decays, update.rate_scale)};
  }
};

struct WgradAdam : Direction<Layout::kDepthOuter, Layout::kDepthOuter, Masked::kYes, RowSums::kYes, SplitK::kNo> {};

template <class T>
Status start(const DenseProblem& p, const DenseUpdate& update, const DenseWgradAdamArgs& args, Stream stream) {
  MatmulOperands<T> operands;
  operands.size = dense_wgrad_size(p);
  operands.a = static_cast<const T*>(args.diff_dst);
  operands.b = static_cast<const T*>(args.src);
  operands.a_stride = p.units;
  operands.b_stride = p.in;
  operands.activation = p.activation;
  if (p.activation != Activation::kNone) operands.a_results = static_cast<const T*>(args.dst);
  const MatmulPlan plan = dense_plan(p, operands.size, SplitK::kNo);
  return launch_matmul<T, WgradAdam>(operands, plan, AdamEpilogue{update, args}, nullptr, stream);
}

}  // namespace

Status dense_wgrad_adam(const DenseProblem& problem, DType type, const DenseUpdate& update,
                        const DenseWgradAdamArgs& args, Stream stream) {
  const bool needs_dst = problem.activation != Activation::kNone;
  Status status =
      check_dense("dense wgrad with Adam", problem, type,
                  {{"src", args.src},
                   {"diff_dst", args.diff_dst},
                   {"weights", args.weights},
                   {"moment1", args.moment1},
                   {"moment2", args.moment2},
                   {"dst", needs_dst ? args.dst : args.diff_dst},
                   {"clock", args.clock, alignof(OptimizerClock)}},
                  {{"average", args.average}, {"bf16_weights", args.bf16_weights}, {"diff_bias", args.diff_bias}});
  if (!status) return status;
  if (problem.factors != Factors::kExact) return Status::failed("dense wgrad with Adam: has no tf32");
  if (update.options.kind == OptimizerKind::kSgd) return Status::failed("dense wgrad with Adam: asked for SGD");
  return type == DType::kF32 ? start<float>(problem, update, args, stream)
                             : start<__nv_bfloat16>(problem, update, args, stream);
}

}  // namespace cudacards
