// diff_weights[k,r,s,c] = or += sum over n,p,q of diff_dst[n,p,q,k]
//                                                 * src[n, p stride - top + r, q stride - left + s, c]
// diff_bias[k]          = or += sum over n,p,q of diff_dst[n,p,q,k]
//
// An implicit GEMM whose depth is the pixels: rows are the K filters, columns (r,s,c). It is deep (millions of pixels)
// and small (K x R S C), so the pixels are cut into slices, one blockIdx.z each ("split-K"); slice z writes its sums to
// its own part of the workspace, and a second kernel adds the parts (slices.h): the same bytes every time.
//
//             pixels 32                    (r,s,c)
//          +-------------+           +------------------+
//  filters | diff_dst^T  |  x pixels | src around pixel |      both tiles lie in shared memory as (pixel, ...), as in
//          +-------------+           +------------------+      memory, and are transposed on the way into registers
//
//   workspace, fp32: slice 0 [ K x RSC | K ]  slice 1 [ K x RSC | K ] ...      the second part is the bias gradient:
//                                                                              the product with a column of ones
// FLOPs as forward; bytes src * (filter tiles) + diff_dst * (column tiles) + 2 * slices * (K RSC + K) * 4.

#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/cursors.cuh"
#include "kernels/conv2d/launching.cuh"
#include "kernels/conv2d/store.cuh"
#include "kernels/simt/slices.h"

namespace cudacards {
namespace {

template <class T>
struct BackwardWeights {
  View view;
  const T* src;
  const T* diff_dst;
  float* workspace;
  std::int64_t slice_floats;  // of the workspace
  int slice_pixels;
  int filters;

  __device__ __forceinline__ float* partial() const { return workspace + blockIdx.z * slice_floats; }
  __device__ __forceinline__ float* partial_bias() const { return partial() + std::int64_t{filters} * view.depth(); }
};

struct PixelRange {
  int begin, end;
};
template <class T>
__device__ __forceinline__ PixelRange slice_of(const BackwardWeights<T>& p) {
  const int begin = static_cast<int>(blockIdx.z) * p.slice_pixels;
  const int pixels = p.view.pixels();
  return {begin, pixels - begin < p.slice_pixels ? pixels : begin + p.slice_pixels};
}

/// Blocks of a multiprocessor that registers must do for. Left to itself ptxas aims at three for the copies of single
/// elements, and spills.
template <class Shape, Copy kCopy>
constexpr int kBlocks = kCopy == Copy::kElements ? 2
                        : Shape::kThreads == 256 ? 2
                        : Shape::kTileM == 128   ? 3
                                                 : 7;

template <class Shape, Copy kCopy>
__global__ void __launch_bounds__(Shape::kThreads, kBlocks<Shape, kCopy>)
    conv2d_backward_weights_tensor_kernel(BackwardWeights<__nv_bfloat16> p) {
  using Gemm = TensorGemm<Shape, TileRows::kDepth, TileRows::kDepth>;
  using PlanA = typename Gemm::PlanA;
  using PlanB = typename Gemm::PlanB;
  const TilePlace at = tile_place(p.view.depth(), Shape::kTileM, Shape::kTileN);
  const PixelRange slice = slice_of(p);
  MatrixCursor<__nv_bfloat16, PlanA::kItems, Advance::kRows> a(
      p.diff_dst, slice.end, p.filters, slice.begin + PlanA::row(), PlanA::kRowStep, at.m0 + PlanA::column());
  GatheredColumns<__nv_bfloat16, PlanB::kItems, kTensorSlab> b(p.view, p.src, slice.end, slice.begin + PlanB::row(),
                                                               PlanB::kRowStep, at.n0 + PlanB::column());
  const bool sums_bias = at.n0 == 0;  // the whole block
  typename Gemm::RowSums bias;
  typename Gemm::Sums sums;
  Gemm::template multiply<kCopy>(dynamic_shared<typename Gemm::Stage>(), a, b,
                                 (slice.end - slice.begin + kTensorSlab - 1) / kTensorSlab, sums,
                                 [&](typename Gemm::Stage& stage) {
                                   if (sums_bias) Gemm::add_rows(stage, bias);
                                 });
  Gemm::visit(sums, at.m0, at.n0, PartialStore{p.partial(), p.filters, p.view.depth()});
  if (!sums_bias) return;
  Gemm::visit_rows(bias, [&](int row, float sum) {
    if (at.m0 + row < p.filters) p.partial_bias()[at.m0 + row] = sum;
  });
}

template <class T, Copy kCopy>
__global__ void __launch_bounds__(kSimtThreads) conv2d_backward_weights_simt_kernel(BackwardWeights<T> p) {
  using Gemm = SimtGemm<T, TileRows::kDepth, TileRows::kDepth>;
  using PlanA = typename Gemm::PlanA;
  using PlanB = typename Gemm::PlanB;
  static_assert(kSimtTileM == kSimtThreads, "a thread for each column of diff_dst");
  const TilePlace at = tile_place(p.view.depth(), kSimtTileM, kSimtTileN);
  const PixelRange slice = slice_of(p);
  MatrixCursor<T, PlanA::kItems, Advance::kRows> a(p.diff_dst, slice.end, p.filters, slice.begin + PlanA::row(),
                                                   PlanA::kRowStep, at.m0 + PlanA::column());
  GatheredColumns<T, PlanB::kItems, kSimtSlab> b(p.view, p.src, slice.end, slice.begin + PlanB::row(), PlanB::kRowStep,
                                                 at.n0 + PlanB::column());
  const int column = static_cast<int>(threadIdx.x);
  float bias = 0;
  typename Gemm::Sums sums;
  Gemm::template multiply<kCopy>(shared<typename Gemm::Stages>(), a, b,
                                 (slice.end - slice.begin + kSimtSlab - 1) / kSimtSlab, sums,
                                 [&](const typename Gemm::Stage& stage) {
                                   if (at.n0 != 0) return;
#pragma unroll
                                   for (int k = 0; k < kSimtSlab; ++k) bias += stage.a[k][column];
                                 });
  Gemm::visit(sums, at.m0, at.n0, PartialStore{p.partial(), p.filters, p.view.depth()});
  if (at.n0 == 0 && at.m0 + column < p.filters) p.partial_bias()[at.m0 + column] = bias;
}

struct Reduce {
  const float* workspace;
  std::int64_t slice_floats;
  int slices;
  std::int64_t weights;  // elements of diff_weights; those of diff_bias follow
  int filters;
  float* diff_weights;
  float* diff_bias;
  GradMode mode, bias_mode;
};

/// A place an element.
__global__ void __launch_bounds__(kSliceBlock) conv2d_backward_weights_reduce_kernel(Reduce p) {
  const std::int64_t i = slice_place(p.slices);
  const bool is_weight = i < p.weights;
  const GradMode mode = is_weight ? p.mode : p.bias_mode;
  const bool is_wanted = i < p.weights + p.filters && mode != GradMode::kIgnore;
  // Threads past the end stay for the barrier.
  const float sum = sum_of_slices<1>(p.workspace + (is_wanted ? i : 0), p.slice_floats, p.slices, is_wanted ? 1 : 0)[0];
  if (!has_sum_of_slices(p.slices) || !is_wanted) return;
  float* to = is_weight ? p.diff_weights + i : p.diff_bias + (i - p.weights);
  *to = mode == GradMode::kAccumulate ? *to + sum : sum;
}

struct Slicing {
  Copy copy;
  Conv2dTile tile;
  int slab;
  int slices, slice_pixels;
  std::int64_t slice_floats;  // a multiple of four, so that every slice is 16-byte aligned
};

Slicing slicing_of(const Conv2dProblem& p, DType type, const Conv2dChoice& choice) {
  Slicing s = {};
  const bool tensor = conv2d_on_tensor_cores(type, choice);
  const int chunk = tensor ? kChunk : kSimtChunk;
  const std::int64_t pixels = std::int64_t{p.n} * p.p() * p.q();
  const int depth = p.r * p.s * p.c;
  s.copy = p.c % chunk == 0 && p.k % chunk == 0 ? Copy::kChunks : Copy::kElements;
  s.slab = tensor ? kTensorSlab : kSimtSlab;
  s.tile = tensor ? conv2d_copyable(conv2d_weights_tile(p.k, depth, choice.tile), s.copy) : Conv2dTile::k128x64;
  const Conv2dTileExtent tile = extent_of(s.tile);
  const int wanted = conv2d_slices(pixels, tiles_of(p.k, tile.rows) * tiles_of(depth, tile.columns), choice.slices);
  s.slice_pixels = static_cast<int>(tiles_of(tiles_of(pixels, wanted), s.slab) * s.slab);
  s.slices = static_cast<int>(tiles_of(pixels, s.slice_pixels));
  s.slice_floats = (std::int64_t{p.k} * depth + p.k + 3) / 4 * 4;
  return s;
}

template <class T>
BackwardWeights<T> parameters(const Conv2dProblem& p, const Slicing& s, const Conv2dBackwardWeightsArgs& args) {
  return {.view = forward_view(p),
          .src = static_cast<const T*>(args.src),
          .diff_dst = static_cast<const T*>(args.diff_dst),
          .workspace = static_cast<float*>(args.workspace),
          .slice_floats = s.slice_floats,
          .slice_pixels = s.slice_pixels,
          .filters = p.k};
}

template <class Shape, Copy kCopy>
Status start_tensor(const BackwardWeights<__nv_bfloat16>& p, const Slicing& s, Stream stream) {
  using Gemm = TensorGemm<Shape, TileRows::kDepth, TileRows::kDepth>;
  return launch(conv2d_backward_weights_tensor_kernel<Shape, kCopy>,
                tile_grid(p.filters, p.view.depth(), Shape::kTileM, Shape::kTileN, static_cast<unsigned>(s.slices),
                          Shape::kThreads, Gemm::kSharedBytes, stream),
                p);
}

Status tensor(const Conv2dProblem& problem, const Slicing& s, const Conv2dBackwardWeightsArgs& args, Stream stream) {
  const auto p = parameters<__nv_bfloat16>(problem, s, args);
  switch (s.tile) {
    case Conv2dTile::k128x128:
      return start_tensor<WideShape, Copy::kChunks>(p, s, stream);
    case Conv2dTile::k64x32:
      return start_tensor<SmallShape, Copy::kChunks>(p, s, stream);
    default:
      return s.copy == Copy::kChunks ? start_tensor<MediumShape, Copy::kChunks>(p, s, stream)
                                     : start_tensor<MediumShape, Copy::kElements>(p, s, stream);
  }
}

template <class T>
Status simt(const Conv2dProblem& problem, const Slicing& s, const Conv2dBackwardWeightsArgs& args, Stream stream) {
  const auto p = parameters<T>(problem, s, args);
  const LaunchConfig config = tile_grid(p.filters, p.view.depth(), kSimtTileM, kSimtTileN,
                                        static_cast<unsigned>(s.slices), kSimtThreads, 0, stream);
  return s.copy == Copy::kChunks ? launch(conv2d_backward_weights_simt_kernel<T, Copy::kChunks>, config, p)
                                 : launch(conv2d_backward_weights_simt_kernel<T, Copy::kElements>, config, p);
}

Status reduce(const Conv2dProblem& problem, const Slicing& s, const Conv2dBackwardWeightsArgs& args, Stream stream) {
  const Reduce p = {.workspace = static_cast<const float*>(args.workspace),
                    .slice_floats = s.slice_floats,
                    .slices = s.slices,
                    .weights = problem.weight_elements(),
                    .filters = problem.k,
                    .diff_weights = args.diff_weights,
                    .diff_bias = args.diff_bias,
                    .mode = args.mode,
                    .bias_mode = args.bias_mode};
  const std::int64_t blocks = slice_blocks(p.weights + p.filters, p.slices);
  return launch(
      conv2d_backward_weights_reduce_kernel,
      LaunchConfig{
          .grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kSliceBlock), .shared_bytes = 0, .stream = stream},
      p);
}

}  // namespace

Verdict conv2d_backward_weights_supports(const Conv2dProblem& problem, DType type, const Conv2dChoice& choice) {
  if (const Verdict verdict = conv2d_is_valid(problem, type); !verdict) return verdict;
  if (choice.path == Conv2dPath::kHalo) return Verdict::no("the halo tile is for the forward pass and backward data");
  if (choice.slices > 65535) return Verdict::no("more than 65535 slices: a grid is no deeper");
  return conv2d_gemm_path(type, choice.path);
}

std::size_t conv2d_backward_weights_workspace(const Conv2dProblem& problem, DType type, const Conv2dChoice& choice) {
  if (!conv2d_backward_weights_supports(problem, type, choice)) return 0;
  const Slicing s = slicing_of(problem, type, choice);
  return static_cast<std::size_t>(s.slice_floats) * static_cast<std::size_t>(s.slices) * sizeof(float);
}

Status conv2d_backward_weights(const Conv2dProblem& problem, DType type, const Conv2dBackwardWeightsArgs& args,
                               Stream stream, const Conv2dChoice& choice) {
  if (const Verdict verdict = conv2d_backward_weights_supports(problem, type, choice); !verdict)
    return Status::failed("conv2d backward weights: " + verdict.reason());
  if (args.mode == GradMode::kIgnore && args.bias_mode == GradMode::kIgnore) return Status::ok();
  const bool wants_weights = args.mode != GradMode::kIgnore, wants_bias = args.bias_mode != GradMode::kIgnore;
  if (Status status =
          check_arrays("conv2d backward weights", {{"src", args.src},
                                                   {"diff_dst", args.diff_dst},
                                                   {"workspace", args.workspace},
                                                   {"diff_weights", wants_weights ? args.diff_weights : args.workspace},
                                                   {"diff_bias", wants_bias ? args.diff_bias : args.workspace}});
      !status)
    return status;
  const Slicing s = slicing_of(problem, type, choice);
  const Status multiplied = conv2d_on_tensor_cores(type, choice) ? tensor(problem, s, args, stream)
                            : type == DType::kF32                ? simt<float>(problem, s, args, stream)
                                                                 : simt<__nv_bfloat16>(problem, s, args, stream);
  return multiplied ? reduce(problem, s, args, stream) : multiplied;
}

}  // namespace cudacards
