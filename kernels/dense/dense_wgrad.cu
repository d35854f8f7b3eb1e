// diff_weights (units,in) = (diff_dst (rows,units) * activation'(dst))^T * src (rows,in)
// diff_bias (units)       = the sum over rows of diff_dst * activation'(dst)
//
// One matrix product of kernels/matmul, k = rows, both operands with k outer: the tensor cores read them transposed
// (ldmatrix.trans), no transposed copy is made. The bias gradient is the product with a column of ones, which the first
// column of tiles takes along: one mma more for every four or eight.
//
//   units x in in tiles of 128 x 128 (32 x 128, 128 x 32), k in slabs of 32 or 64 (fp32 16)
//
//   1 x 1 convolution, rows = 100352, 96 -> 24 channels: one tile; k is split into a slice a multiprocessor, and
//   reduce_kernel adds the slices in a fixed order: the same bytes every time, no atomics.
//
// Bytes: problem.wgrad_bytes(), dst where there is an activation, and twice the partial sums. 2*rows*in*units FLOPs.
// Bound by memory: at rows = 32 the 4 bytes a weight that are written are nearly all of it.

#include "kernels/dense/checks.h"
#include "kernels/dense/dense.h"
#include "kernels/matmul/launch.cuh"

namespace cudacards {
namespace {

struct WgradEpilogue {
  static constexpr RowSums kSums = RowSums::kYes;
  GradMode mode;
  float* diff_weights;
  float* diff_bias;  // null: not wanted

  __device__ __forceinline__ WgradEpilogue ready() const { return *this; }
  __device__ __forceinline__ void quad(const QuadPlace& place, Quad sum) const {
    if (mode == GradMode::kAccumulate) {
      const Quad before = load_quad(static_cast<const float*>(diff_weights), place.offset, place);
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[i] += before[i];
    }
    store_quad(diff_weights, place.offset, place, sum);
  }
  __device__ __forceinline__ void row_sum(int row, float sum) const {
    if (diff_bias == nullptr) return;
    diff_bias[row] = mode == GradMode::kAccumulate ? diff_bias[row] + sum : sum;
  }
};

struct Wgrad : Direction<Layout::kDepthOuter, Layout::kDepthOuter, Masked::kYes, RowSums::kYes, SplitK::kYes> {};

MatmulPlan plan_of(const DenseProblem& p) { return dense_plan(p, dense_wgrad_size(p), SplitK::kYes); }

template <class Factor>
Status start(const DenseProblem& p, const DenseWgradArgs& args, Stream stream) {
  using T = StoredOf<Factor>;
  MatmulOperands<T> operands;
  operands.size = dense_wgrad_size(p);
  operands.a = static_cast<const T*>(args.diff_dst);
  operands.b = static_cast<const T*>(args.src);
  operands.a_stride = p.units;
  operands.b_stride = p.in;
  operands.activation = p.activation;
  if (p.activation != Activation::kNone) operands.a_results = static_cast<const T*>(args.dst);
  const WgradEpilogue epilogue{args.mode, args.diff_weights, args.diff_bias};
  return launch_matmul<Factor, Wgrad>(operands, plan_of(p), epilogue, static_cast<float*>(args.workspace), stream);
}

}  // namespace

std::size_t dense_wgrad_workspace_bytes(const DenseProblem& problem) {
  if (!dense_supports(problem, DType::kF32)) return 0;
  return workspace_bytes(dense_wgrad_size(problem), plan_of(problem));
}

Status dense_wgrad(const DenseProblem& problem, DType type, const DenseWgradArgs& args, Stream stream) {
  if (args.mode == GradMode::kIgnore) return Status::ok();
  const bool needs_dst = problem.activation != Activation::kNone;
  Status status = check_dense("dense wgrad", problem, type,
                              {{"src", args.src},
                               {"diff_dst", args.diff_dst},
                               {"diff_weights", args.diff_weights},
                               {"dst", needs_dst ? args.dst : args.diff_dst}},
                              {{"diff_bias", args.diff_bias}, {"workspace", args.workspace}});
  if (!status) return status;
  if (args.workspace == nullptr && dense_wgrad_workspace_bytes(problem) > 0)
    return Status::failed("dense wgrad: its sums are split and need a workspace");
  if (type == DType::kBf16) return start<__nv_bfloat16>(problem, args, stream);
  return problem.factors == Factors::kTf32 ? start<Tf32>(problem, args, stream) : start<float>(problem, args, stream);
}

}  // namespace cudacards
