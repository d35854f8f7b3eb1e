// g = (diff_dst (rows,units) * activation'(dst))^T * src (rows,in), and at once, with t = step + 1,
// m += (g - m) * (1 - beta1);  v += (g * g - v) * (1 - beta2)
// w = (w - rate * weight_decay * w) - rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)
//
// The product is dense_wgrad's; here a lane's four gradients stay in its registers and it reads and writes the same
// four of w, m and v, 16 bytes each: the gradient is never in memory, which saves 8 of the 32 bytes a weight that the
// plain path moves. The bias gradient is written as always; its update is small and left to the optimizer.
//
//   units x in in tiles of 128 x 128 (32 x 128, 128 x 32), the whole k = rows in one block
//
// Bytes: problem.wgrad_adam_bytes(), that is 24 a weight (26 with the bf16 copy); 4 FLOPs a row and weight, so bound by
// memory up to some hundred rows. Rounded like the CPU's optimizer, operation by operation: contraction to fused
// multiply-adds would give other bytes.

#include <cmath>

#include "kernels/dense/checks.h"
#include "kernels/dense/dense.h"
#include "kernels/matmul/launch.h"

namespace cudacards {
namespace {

struct AdamNow {
  float rate;   // bias correction included
  float decay;  // rate * weight decay
};

struct AdamEpilogue {
  static constexpr RowSums kSums = RowSums::kYes;
  DenseAdamOptions options;
  DenseWgradAdamArgs args;

  /// One thread's double precision serves the block; the first barrier of the pipeline makes it safe to read.
  __device__ void prepare() const {
    if (threadIdx.x != 0) return;
    const double t = static_cast<double>(args.clock->number) + 1;
    const double correction =
        sqrt(1 - pow(static_cast<double>(options.beta2), t)) / (1 - pow(static_cast<double>(options.beta1), t));
    const float rate = *args.learning_rate * options.rate_scale;
    AdamNow& now = shared<AdamNow>();
    now.rate = static_cast<float>(static_cast<double>(rate) * correction);
    now.decay = rate * options.weight_decay;
  }

  /// to + (by - to) * part.
  static __device__ __forceinline__ float moved(float to, float by, float part) {
    return __fadd_rn(to, __fmul_rn(__fadd_rn(by, -to), part));
  }

  __device__ __forceinline__ void quad(const QuadPlace& place, const Quad& g) const {
    const AdamNow now = shared<AdamNow>();
    Quad w = load_quad(static_cast<const float*>(args.weights), place.offset, place);
    Quad m = load_quad(static_cast<const float*>(args.moment1), place.offset, place);
    Quad v = load_quad(static_cast<const float*>(args.moment2), place.offset, place);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      m[i] = moved(m[i], g[i], 1 - options.beta1);
      v[i] = moved(v[i], __fmul_rn(g[i], g[i]), 1 - options.beta2);
      const float change = __fmul_rn(now.rate, m[i]) / __fadd_rn(sqrtf(v[i]), options.epsilon);
      w[i] = __fadd_rn(__fadd_rn(w[i], -__fmul_rn(now.decay, w[i])), -change);
    }
    store_quad(args.weights, place.offset, place, w);
    store_quad(args.moment1, place.offset, place, m);
    store_quad(args.moment2, place.offset, place, v);
    if (args.bf16_weights != nullptr)
      store_quad(static_cast<__nv_bfloat16*>(args.bf16_weights), place.offset, place, w);
    if (args.average == nullptr) return;
    Quad average = load_quad(static_cast<const float*>(args.average), place.offset, place);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      average[i] = __fadd_rn(__fmul_rn(options.average_decay, average[i]), __fmul_rn(1 - options.average_decay, w[i]));
    }
    store_quad(args.average, place.offset, place, average);
  }
  __device__ __forceinline__ void row_sum(int row, float sum) const {
    if (args.diff_bias == nullptr || args.bias_mode == GradMode::kIgnore) return;
    args.diff_bias[row] = args.bias_mode == GradMode::kAccumulate ? args.diff_bias[row] + sum : sum;
  }
};

using WgradAdam = Direction<Layout::kDepthOuter, Layout::kDepthOuter, Masked::kYes, RowSums::kYes, SplitK::kNo>;

template <class T>
Status start(const DenseProblem& p, const DenseAdamOptions& options, const DenseWgradAdamArgs& args, Stream stream) {
  MatmulOperands<T> operands;
  operands.size = dense_wgrad_size(p);
  operands.a = static_cast<const T*>(args.diff_dst);
  operands.b = static_cast<const T*>(args.src);
  operands.a_stride = p.units;
  operands.b_stride = p.in;
  operands.activation = p.activation;
  if (p.activation != Activation::kNone) operands.a_results = static_cast<const T*>(args.dst);
  const MatmulPlan plan = dense_plan(p, operands.size, SplitK::kNo);
  return launch_matmul<T, WgradAdam>(operands, plan, AdamEpilogue{options, args}, nullptr, stream);
}

}  // namespace

Status dense_wgrad_adam(const DenseProblem& problem, DType type, const DenseAdamOptions& options,
                        const DenseWgradAdamArgs& args, Stream stream) {
  const bool needs_dst = problem.activation != Activation::kNone;
  Status status = check_dense("dense wgrad with Adam", problem, type,
                              {args.src, args.diff_dst, args.weights, args.moment1, args.moment2, args.clock,
                               needs_dst ? args.dst : args.diff_dst},
                              {args.average, args.bf16_weights, args.diff_bias});
  if (!status) return status;
  if (args.learning_rate == nullptr) return Status::failed("dense wgrad with Adam: an array that it needs is missing");
  return type == DType::kF32 ? start<float>(problem, options, args, stream)
                             : start<__nv_bfloat16>(problem, options, args, stream);
}

}  // namespace cudacards
