// dst (rows,units) = activation(src (rows,in) * weights (units,in)^T + bias + residual)
//
// One matrix product of kernels/matmul, k = in, both operands with k inner: copied to shared memory as they lie.
//
//   rows x units in tiles of 128 x 128 (32 x 128 for few rows, 128 x 32 for few units), k in slabs of 32 or 64
//   (fp32: 16)
//
//   in = 100352, units = 128, rows = 32: one tile of 32 x 128 and 25.7 MB of bf16 weights, so k is split into a slice a
//   multiprocessor; 16 KB of partial sums each, added by reduce_kernel in a fixed order.
//
// Bytes: problem.bytes(), and twice the partial sums. 2*rows*in*units FLOPs. Bound by memory up to about 180 rows in
// bf16 (ridge 184 FLOP/byte), and for all 1 x 1 convolutions of less than about 400 channels.

#include <algorithm>

#include "kernels/dense/checks.h"
#include "kernels/dense/dense.h"
#include "kernels/matmul/launch.cuh"

namespace cudacards {
namespace {

template <class Dst>
struct ForwardEpilogue {
  static constexpr RowSums kSums = RowSums::kNo;
  const float* bias;    // null: none
  const Dst* residual;  // null: none
  Activation activation;
  Dst* dst;

  __device__ __forceinline__ ForwardEpilogue ready() const { return *this; }
  __device__ __forceinline__ void quad(const QuadPlace& place, Quad sum) const {
    if (bias != nullptr) {
      const Quad more = load_quad(bias, place.column, place);
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[i] += more[i];
    }
    if (residual != nullptr) {
      const Quad more = load_quad(residual, place.offset, place);
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[i] += more[i];
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) sum[i] = apply(activation, sum[i]);
    store_quad(dst, place.offset, place, sum);
  }
};

struct Forward : Direction<Layout::kDepthInner, Layout::kDepthInner, Masked::kNo, RowSums::kNo, SplitK::kYes> {};

MatmulPlan plan_of(const DenseProblem& p) { return dense_plan(p, dense_forward_size(p), SplitK::kYes); }

template <class Factor, class Dst>
Status start(const DenseProblem& p, const DenseForwardArgs& args, Stream stream) {
  using T = StoredOf<Factor>;
  MatmulOperands<T> operands;
  operands.size = dense_forward_size(p);
  operands.a = static_cast<const T*>(args.src);
  operands.b = static_cast<const T*>(args.weights);
  operands.a_stride = operands.b_stride = p.in;
  const ForwardEpilogue<Dst> epilogue{args.bias, static_cast<const Dst*>(args.residual), p.activation,
                                      static_cast<Dst*>(args.dst)};
  return launch_matmul<Factor, Forward>(operands, plan_of(p), epilogue, static_cast<float*>(args.workspace), stream);
}

}  // namespace

Verdict dense_supports(const DenseProblem& problem, DType type) {
  if (type != DType::kF32 && type != DType::kBf16)
    return Verdict::no(std::string("no dense layer of ") + name_of(type));
  if (problem.rows < 1 || problem.in < 1 || problem.units < 1)
    return Verdict::no("rows, inputs and units must be 1 or more");
  constexpr int kMost = 1 << 30;  // tiles and slabs overhang, and indices within a size are ints
  if (problem.rows > kMost || problem.in > kMost || problem.units > kMost)
    return Verdict::no("more than 2^30 rows, inputs or units");
  constexpr std::int64_t kMostElements = std::int64_t{1} << 36;  // a grid has 2^31 blocks
  if (std::max({problem.src_elements(), problem.weight_elements(), problem.dst_elements()}) > kMostElements)
    return Verdict::no("more than 2^36 elements in an array");
  constexpr int kMostSlices = 65535;
  if (problem.plan && (problem.plan->slices < 1 || problem.plan->slices > kMostSlices))
    return Verdict::no("a plan has 1 to 65535 slices");
  return Verdict::yes();
}

Verdict dense_forward_supports(const DenseProblem& problem, DType type, DType dst_type) {
  if (Verdict products = dense_supports(problem, type); !products) return products;
  if (dst_type == type || (type == DType::kBf16 && dst_type == DType::kF32)) return Verdict::yes();
  return Verdict::no(std::string("no dense layer from ") + name_of(type) + " to " + name_of(dst_type));
}

std::size_t dense_forward_workspace_bytes(const DenseProblem& problem) {
  if (!dense_supports(problem, DType::kF32)) return 0;
  return workspace_bytes(dense_forward_size(problem), plan_of(problem));
}

Status dense_forward(const DenseProblem& problem, DType type, DType dst_type, const DenseForwardArgs& args,
                     Stream stream) {
  if (const Verdict verdict = dense_forward_supports(problem, type, dst_type); !verdict)
    return Status::failed("dense: " + verdict.reason());
  Status status = check_arrays("dense", {{"src", args.src}, {"weights", args.weights}, {"dst", args.dst}},
                               {{"bias", args.bias}, {"residual", args.residual}, {"workspace", args.workspace}});
  if (!status) return status;
  if (args.workspace == nullptr && dense_forward_workspace_bytes(problem) > 0)
    return Status::failed("dense: its sums are split and need a workspace");
  if (type == DType::kF32) {
    return problem.factors == Factors::kTf32 ? start<Tf32, float>(problem, args, stream)
                                             : start<float, float>(problem, args, stream);
  }
  return dst_type == DType::kF32 ? start<__nv_bfloat16, float>(problem, args, stream)
                                 : start<__nv_bfloat16, __nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards
