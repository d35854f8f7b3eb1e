// dst[n,p,q,k] = activation(sum over r,s,c of src[n, p stride - top + r, q stride - left + s, c] * weights[k,r,s,c]
//                           + bias[k] + residual[n,p,q,k])
//
// As a GEMM that is never written down ("implicit"): rows m are the N P Q destination pixels, columns n the K filters,
// the depth is (r,s,c) as in the weights. A tile of A is gathered from src tap by tap, zeros for the padding:
//
//            depth 32 = 4 chunks of 8 channels          filters
//          +--------------------+                  +--------------+
//   pixels | src around pixel m |  x  weights^T =  | 128x128,     | one block; each warp 64 x 32
//      128 | (r,s) fixed, c...  |                  | 128x64, 64x32|
//          +--------------------+                  +--------------+
//
// 2 N P Q K R S C FLOPs over (src + weights + dst) bytes: for 3x3 and 64 channels in bf16 some 280 FLOP/B, so the
// matrix rate is the limit - but every tap fetches src again from the second cache: R S times, 32 FLOP/B of it for 64
// filters. conv2d_halo.cu fetches it once. Accumulation in fp32 in the order of the depth.

#include "kernels/base/sizes.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/cursors.cuh"
#include "kernels/conv2d/halo.h"
#include "kernels/conv2d/launching.cuh"
#include "kernels/conv2d/store.cuh"

namespace cudacards {
namespace {

template <class T>
struct Forward {
  View view;
  const T* src;
  const T* weights;
  Epilogue<T> epilogue;
};

template <class Shape, Copy kCopy>
__global__ void __launch_bounds__(Shape::kThreads) conv2d_forward_tensor_kernel(Forward<__nv_bfloat16> p) {
  using Gemm = TensorGemm<Shape, TileRows::kOuter, TileRows::kOuter>;
  using PlanA = typename Gemm::PlanA;
  using PlanB = typename Gemm::PlanB;
  const int filters = p.epilogue.columns;
  const TilePlace at = tile_place(filters, Shape::kTileM, Shape::kTileN);
  GatheredRows<__nv_bfloat16, PlanA::kItems> a(p.view, p.src, at.m0 + PlanA::row(), PlanA::kRowStep, PlanA::column());
  MatrixCursor<__nv_bfloat16, PlanB::kItems, Advance::kColumns> b(
      p.weights, filters, p.view.depth(), at.n0 + PlanB::row(), PlanB::kRowStep, PlanB::column());
  typename Gemm::Sums sums;
  Gemm::template multiply<kCopy>(dynamic_shared<typename Gemm::Stage>(), a, b,
                                 (p.view.depth() + kTensorSlab - 1) / kTensorSlab, sums, NothingPerSlab());
  Gemm::visit(sums, at.m0, at.n0, p.epilogue);
}

template <class T, Copy kCopy>
__global__ void __launch_bounds__(kSimtThreads) conv2d_forward_simt_kernel(Forward<T> p) {
  using Gemm = SimtGemm<T, TileRows::kOuter, TileRows::kOuter>;
  using PlanA = typename Gemm::PlanA;
  using PlanB = typename Gemm::PlanB;
  const int filters = p.epilogue.columns;
  const TilePlace at = tile_place(filters, kSimtTileM, kSimtTileN);
  GatheredRows<T, PlanA::kItems> a(p.view, p.src, at.m0 + PlanA::row(), PlanA::kRowStep, PlanA::column());
  MatrixCursor<T, PlanB::kItems, Advance::kColumns> b(p.weights, filters, p.view.depth(), at.n0 + PlanB::row(),
                                                      PlanB::kRowStep, PlanB::column());
  typename Gemm::Sums sums;
  Gemm::template multiply<kCopy>(shared<typename Gemm::Stages>(), a, b, (p.view.depth() + kSimtSlab - 1) / kSimtSlab,
                                 sums, NothingPerSlab());
  Gemm::visit(sums, at.m0, at.n0, p.epilogue);
}

template <class T>
Forward<T> parameters(const Conv2dProblem& problem, const Conv2dForwardArgs& args) {
  const View view = forward_view(problem);
  return {.view = view,
          .src = static_cast<const T*>(args.src),
          .weights = static_cast<const T*>(args.weights),
          .epilogue = {.bias = args.bias,
                       .residual = static_cast<const T*>(args.residual),
                       .dst = static_cast<T*>(args.dst),
                       .activation = args.activation,
                       .rows = view.pixels(),
                       .columns = problem.k}};
}

template <class Shape, Copy kCopy>
Status start_tensor(const Forward<__nv_bfloat16>& p, Stream stream) {
  using Gemm = TensorGemm<Shape, TileRows::kOuter, TileRows::kOuter>;
  const LaunchConfig config = tile_grid(p.epilogue.rows, p.epilogue.columns, Shape::kTileM, Shape::kTileN, 1,
                                        Shape::kThreads, Gemm::kSharedBytes, stream);
  return launch(conv2d_forward_tensor_kernel<Shape, kCopy>, config, p);
}

Status tensor(const Conv2dProblem& problem, const Conv2dForwardArgs& args, Stream stream, const Conv2dChoice& choice) {
  const auto p = parameters<__nv_bfloat16>(problem, args);
  const Copy copy = problem.c % kChunk == 0 ? Copy::kChunks : Copy::kElements;
  switch (conv2d_copyable(conv2d_tile(p.epilogue.rows, p.epilogue.columns, choice), copy)) {
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
Status simt(const Conv2dProblem& problem, const Conv2dForwardArgs& args, Stream stream) {
  const auto p = parameters<T>(problem, args);
  const LaunchConfig config =
      tile_grid(p.epilogue.rows, p.epilogue.columns, kSimtTileM, kSimtTileN, 1, kSimtThreads, 0, stream);
  return problem.c % kSimtChunk == 0 ? launch(conv2d_forward_simt_kernel<T, Copy::kChunks>, config, p)
                                     : launch(conv2d_forward_simt_kernel<T, Copy::kElements>, config, p);
}

}  // namespace

Verdict conv2d_forward_supports(const Conv2dProblem& problem, DType type, const Conv2dChoice& choice) {
  if (const Verdict verdict = conv2d_is_valid(problem, type); !verdict) return verdict;
  if (choice.path == Conv2dPath::kHalo) return conv2d_halo_supports(problem, type);
  return conv2d_gemm_path(type, choice.path);
}

Status conv2d_forward(const Conv2dProblem& problem, DType type, const Conv2dForwardArgs& args, Stream stream,
                      const Conv2dChoice& choice) {
  if (const Verdict verdict = conv2d_forward_supports(problem, type, choice); !verdict)
    return Status::failed("conv2d forward: " + verdict.reason());
  if (Status status = check_arrays("conv2d forward", {{"src", args.src}, {"weights", args.weights}, {"dst", args.dst}},
                                   {{"bias", args.bias}, {"residual", args.residual}});
      !status)
    return status;
  const bool halo_is_best = choice.path == Conv2dPath::kBest && choice.tile == Conv2dTile::kBest &&
                            conv2d_halo_supports(problem, type) && conv2d_halo_fits(problem.p(), problem.q());
  if (choice.path == Conv2dPath::kHalo || halo_is_best) return conv2d_halo(problem, args, stream);
  if (conv2d_on_tensor_cores(type, choice)) return tensor(problem, args, stream, choice);
  return type == DType::kF32 ? simt<float>(problem, args, stream) : simt<__nv_bfloat16>(problem, args, stream);
}

Verdict conv2d_is_valid(const Conv2dProblem& p, DType type) {
  constexpr std::int64_t kMostPixels = (std::int64_t{1} << 31) - (1 << 18);  // so that a tile's rows are ints
  constexpr int kMostPadding = 1 << 16;                                      // so that padded sizes are
  if (type != DType::kF32 && type != DType::kBf16)
    return Verdict::no(std::string("no convolution of ") + name_of(type));
  if (p.groups != 1) return Verdict::no("groups: these kernels have none");
  if (p.n < 1 || p.h < 1 || p.w < 1 || p.c < 1 || p.k < 1 || p.r < 1 || p.s < 1) return Verdict::no("a size below 1");
  if (p.r > 7 || p.s > 7) return Verdict::no("a filter larger than 7x7");
  if (p.stride_h < 1 || p.stride_h > 2 || p.stride_w < 1 || p.stride_w > 2) return Verdict::no("a stride above 2");
  if (p.pad.top < 0 || p.pad.left < 0 || p.pad.bottom < 0 || p.pad.right < 0) return Verdict::no("negative padding");
  if (p.pad.top > kMostPadding || p.pad.left > kMostPadding || p.pad.bottom > kMostPadding ||
      p.pad.right > kMostPadding)
    return Verdict::no("a padding above 2^16");
  if (product_exceeds(kMostPixels, {p.n, p.h, p.w})) return Verdict::no("2^31 pixels and more");
  if (p.h + p.pad.top + p.pad.bottom < p.r || p.w + p.pad.left + p.pad.right < p.s)
    return Verdict::no("the filter is larger than the padded picture");
  if (product_exceeds(kMostPixels, {p.n, p.p(), p.q()})) return Verdict::no("2^31 pixels and more");
  if (std::int64_t{p.r} * p.s * p.c > (1 << 30) || std::int64_t{p.r} * p.s * p.k > (1 << 30))
    return Verdict::no("a filter of more than 2^30 elements");
  return Verdict::yes();
}

}  // namespace cudacards
