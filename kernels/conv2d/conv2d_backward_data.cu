// diff_src[n,h,w,c] = or += sum over r,s,k of diff_dst[n, (h + top - r) / stride, (w + left - s) / stride, k]
//                                             * weights[k,r,s,c]    over the taps for which the divisions come out even
//
// An implicit GEMM over diff_dst: rows are the source pixels of one phase (view.h: stride 2 falls into four phases, one
// blockIdx.z each, so that no tap is looked at that does not hit), columns the C channels, the depth (r,s,k).
//
//            depth 32 (r,s,k)                     channels c
//          +-------------------+        +-------------------------+
//   pixels | diff_dst          |    x   | weights[k,r,s,c...]     |  depth rows: transposed on the way into registers
//      128 | flipped taps      |        +-------------------------+
//          +-------------------+
//
// conv2d_halo.cu does 3x3 of stride 1. Bytes and FLOPs as forward with C and K exchanged; stride 2 does a quarter of
// the work of a dilated stride-1 pass.

#include <algorithm>

#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/cursors.cuh"
#include "kernels/conv2d/halo.h"
#include "kernels/conv2d/launching.cuh"
#include "kernels/conv2d/store.cuh"

namespace cudacards {
namespace {

template <class T>
struct BackwardData {
  Phases phases;
  const T* diff_dst;
  const T* weights;
  T* diff_src;
  GradMode mode;
};

template <class Shape, Copy kCopy>
__global__ void __launch_bounds__(Shape::kThreads) conv2d_backward_data_tensor_kernel(BackwardData<__nv_bfloat16> p) {
  using Gemm = TensorGemm<Shape, TileRows::kOuter, TileRows::kDepth>;
  using PlanA = typename Gemm::PlanA;
  using PlanB = typename Gemm::PlanB;
  const Phase& phase = p.phases.phase[blockIdx.z];
  const TilePlace at = tile_place(p.phases.c, Shape::kTileM, Shape::kTileN);
  if (at.m0 >= phase.view.pixels()) return;  // the whole block: another phase has more pixels
  GatheredRows<__nv_bfloat16, PlanA::kItems> a(phase.view, p.diff_dst, at.m0 + PlanA::row(), PlanA::kRowStep,
                                               PlanA::column());
  TapRows<__nv_bfloat16, PlanB::kItems> b(p.phases, phase, p.weights, PlanB::row(), PlanB::kRowStep,
                                          at.n0 + PlanB::column());
  typename Gemm::Sums sums;
  Gemm::template multiply<kCopy>(dynamic_shared<typename Gemm::Stage>(), a, b,
                                 (phase.view.depth() + kTensorSlab - 1) / kTensorSlab, sums, NothingPerSlab());
  Gemm::visit(sums, at.m0, at.n0, PhaseStore<__nv_bfloat16>{p.phases, phase, p.diff_src, p.mode});
}

template <class T, Copy kCopy>
__global__ void __launch_bounds__(kSimtThreads) conv2d_backward_data_simt_kernel(BackwardData<T> p) {
  using Gemm = SimtGemm<T, TileRows::kOuter, TileRows::kDepth>;
  using PlanA = typename Gemm::PlanA;
  using PlanB = typename Gemm::PlanB;
  const Phase& phase = p.phases.phase[blockIdx.z];
  const TilePlace at = tile_place(p.phases.c, kSimtTileM, kSimtTileN);
  if (at.m0 >= phase.view.pixels()) return;  // the whole block: another phase has more pixels
  GatheredRows<T, PlanA::kItems> a(phase.view, p.diff_dst, at.m0 + PlanA::row(), PlanA::kRowStep, PlanA::column());
  TapRows<T, PlanB::kItems> b(p.phases, phase, p.weights, PlanB::row(), PlanB::kRowStep, at.n0 + PlanB::column());
  typename Gemm::Sums sums;
  Gemm::template multiply<kCopy>(shared<typename Gemm::Stages>(), a, b,
                                 (phase.view.depth() + kSimtSlab - 1) / kSimtSlab, sums, NothingPerSlab());
  Gemm::visit(sums, at.m0, at.n0, PhaseStore<T>{p.phases, phase, p.diff_src, p.mode});
}

template <class T>
BackwardData<T> parameters(const Conv2dProblem& problem, const Conv2dBackwardDataArgs& args) {
  return {.phases = backward_phases(problem),
          .diff_dst = static_cast<const T*>(args.diff_dst),
          .weights = static_cast<const T*>(args.weights),
          .diff_src = static_cast<T*>(args.diff_src),
          .mode = args.mode};
}

template <class T>
LaunchConfig grid_of(const BackwardData<T>& p, int tile_m, int tile_n, int threads, std::size_t bytes, Stream stream) {
  const int phases = p.phases.stride_h * p.phases.stride_w;
  int pixels = 0;
  for (const Phase& phase : p.phases.phase) pixels = std::max(pixels, phase.view.pixels());  // of one unused: 0
  return tile_grid(pixels, p.phases.c, tile_m, tile_n, static_cast<unsigned>(phases), threads, bytes, stream);
}

template <class Shape, Copy kCopy>
Status start_tensor(const BackwardData<__nv_bfloat16>& p, Stream stream) {
  using Gemm = TensorGemm<Shape, TileRows::kOuter, TileRows::kDepth>;
  return launch(conv2d_backward_data_tensor_kernel<Shape, kCopy>,
                grid_of(p, Shape::kTileM, Shape::kTileN, Shape::kThreads, Gemm::kSharedBytes, stream), p);
}

Status tensor(const Conv2dProblem& problem, const Conv2dBackwardDataArgs& args, Stream stream,
              const Conv2dChoice& choice) {
  const auto p = parameters<__nv_bfloat16>(problem, args);
  const Copy copy = problem.k % kChunk == 0 && problem.c % kChunk == 0 ? Copy::kChunks : Copy::kElements;
  const std::int64_t pixels = std::int64_t{problem.n} * problem.h * problem.w;
  switch (conv2d_copyable(conv2d_tile(pixels, problem.c, choice), copy)) {
    case Conv2dTile::k128x128:
      return start_tensor<WideShape, Copy::kChunks>(p, stream);
    case Conv2dTile::k64x32:
      return start_tensor<SmallShape, Copy::kChunks>(p, stream);
    default:
      return copy == Copy::kChunks ? start_tensor<MediumShape, Copy::kChunks>(p, stream)
                                   : start_tensor<MediumShape, Copy::kElements>(p, stream);
  }
}

template <class T>
Status simt(const Conv2dProblem& problem, const Conv2dBackwardDataArgs& args, Stream stream) {
  const auto p = parameters<T>(problem, args);
  const LaunchConfig config = grid_of(p, kSimtTileM, kSimtTileN, kSimtThreads, 0, stream);
  return problem.k % kSimtChunk == 0 && problem.c % kSimtChunk == 0
             ? launch(conv2d_backward_data_simt_kernel<T, Copy::kChunks>, config, p)
             : launch(conv2d_backward_data_simt_kernel<T, Copy::kElements>, config, p);
}

}  // namespace

Verdict conv2d_backward_data_supports(const Conv2dProblem& problem, DType type, const Conv2dChoice& choice) {
  if (const Verdict verdict = conv2d_is_valid(problem, type); !verdict) return verdict;
  if (choice.path == Conv2dPath::kHalo) return conv2d_halo_backward_supports(problem, type);
  return conv2d_gemm_path(type, choice.path);
}

Status conv2d_backward_data(const Conv2dProblem& problem, DType type, const Conv2dBackwardDataArgs& args, Stream stream,
                            const Conv2dChoice& choice) {
  if (const Verdict verdict = conv2d_backward_data_supports(problem, type, choice); !verdict)
    return Status::failed("conv2d backward data: " + verdict.reason());
  if (args.mode == GradMode::kIgnore) return Status::ok();
  if (Status status =
          check_arrays("conv2d backward data",
                       {{"diff_dst", args.diff_dst}, {"weights", args.weights}, {"diff_src", args.diff_src}});
      !status)
    return status;
  const bool halo_is_best = choice.path == Conv2dPath::kBest && choice.tile == Conv2dTile::kBest &&
                            conv2d_halo_backward_supports(problem, type) && conv2d_halo_fits(problem.h, problem.w);
  if (choice.path == Conv2dPath::kHalo || halo_is_best) return conv2d_halo_backward(problem, args, stream);
  if (conv2d_on_tensor_cores(type, choice)) return tensor(problem, args, stream, choice);
  return type == DType::kF32 ? simt<float>(problem, args, stream) : simt<__nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards
