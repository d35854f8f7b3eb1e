// diff_src (rows,in) = (diff_dst (rows,units) * activation'(dst)) * weights (units,in)
//
// One matrix product of kernels/matmul, k = units: diff has k inner, the weights k outer. dst comes to shared memory
// beside diff_dst, and the fragments are multiplied by the derivative on their way to the tensor cores: the gradient
// before the activation is never in memory.
//
//   rows x in in tiles of 128 x 128 (32 x 128, 128 x 32), k in slabs of 32 or 64 (fp32 16); a block does the whole k
//
// Bytes: problem.bytes(), and dst where there is an activation. 2*rows*in*units FLOPs. Bound by memory as the forward
// product is.

#include "kernels/dense/checks.h"
#include "kernels/dense/dense.h"
#include "kernels/matmul/launch.cuh"

namespace cudacards {
namespace {

template <class T>
struct DgradEpilogue {
  static constexpr RowSums kSums = RowSums::kNo;
  GradMode mode;
  T* diff_src;

  __device__ __forceinline__ DgradEpilogue ready() const { return *this; }
  __device__ __forceinline__ void quad(const QuadPlace& place, Quad sum) const {
    if (mode == GradMode::kAccumulate) {
      const Quad before = load_quad(static_cast<const T*>(diff_src), place.offset, place);
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[i] += before[i];
    }
    store_quad(diff_src, place.offset, place, sum);
  }
};

struct Dgrad : Direction<Layout::kDepthInner, Layout::kDepthOuter, Masked::kYes, RowSums::kNo, SplitK::kNo> {};

template <class Factor>
Status start(const DenseProblem& p, const DenseDgradArgs& args, Stream stream) {
  using T = StoredOf<Factor>;
  MatmulOperands<T> operands;
  operands.size = dense_dgrad_size(p);
  operands.a = static_cast<const T*>(args.diff_dst);
  operands.b = static_cast<const T*>(args.weights);
  operands.a_stride = p.units;
  operands.b_stride = p.in;
  operands.activation = p.activation;
  if (p.activation != Activation::kNone) operands.a_results = static_cast<const T*>(args.dst);
  const DgradEpilogue<T> epilogue{args.mode, static_cast<T*>(args.diff_src)};
  const MatmulPlan plan = dense_plan(p, operands.size, SplitK::kNo);
  return launch_matmul<Factor, Dgrad>(operands, plan, epilogue, nullptr, stream);
}

}  // namespace

Status dense_dgrad(const DenseProblem& problem, DType type, const DenseDgradArgs& args, Stream stream) {
  if (args.mode == GradMode::kIgnore) return Status::ok();
  const bool needs_dst = problem.activation != Activation::kNone;
  Status status = check_dense("dense dgrad", problem, type,
                              {{"diff_dst", args.diff_dst},
                               {"weights", args.weights},
                               {"diff_src", args.diff_src},
                               {"dst", needs_dst ? args.dst : args.diff_dst}});
  if (!status) return status;
  if (type == DType::kBf16) return start<__nv_bfloat16>(problem, args, stream);
  return problem.factors == Factors::kTf32 ? start<Tf32>(problem, args, stream) : start<float>(problem, args, stream);
}

}  // namespace cudacards
