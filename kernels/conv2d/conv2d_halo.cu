// dst[n,p,q,k] = activation(sum over r,s,c of src[n, p - top + r, q - left + s, c] * weights[k,r,s,c] + bias[k]
//                           + residual[n,p,q,k])       3x3, stride 1, bf16 on tensor cores
//
// and diff_src[n,h,w,c] = or += sum over r,s,k of diff_dst[n, h + top - r, w + left - s, k] * weights[k,r,s,c], which
// is the same with paddings 2 - top and 2 - left, taps turned round and C and K exchanged: "src", "dst", "filters"
// below are then diff_dst, diff_src and the channels c.
//
// The nine taps of a block's 8 x 16 pixels all lie in one tile of 10 x 18: it is fetched once, 32 channels at a time,
// and the nine operands A are nine shifted views of it.
//
//      0 1 2 ...          17     an m16 block of A is one row of 16 destination pixels: sixteen neighbours in the tile,
//    +--------------------+      from (i + r, s) on. Any eight neighbouring rows of a 32-column Tile lie in different
//    | . . . . . . . . .  |      banks, so a shifted view costs ldmatrix nothing.
//    |  +--------------+  |
//    |  | 8 x 16 dst   |  |      weights of the slab: 9 taps x filters x 32 channels
//    |  +--------------+  |
//    | . . . . . . . . .  |      A fragment of tile row i + r serves the taps r = 0, 1, 2 of three destination rows:
//    +--------------------+      six loads of A for four rows of 16, where a gather takes twelve.
//
// Shared memory a stage: 11.25 KB src + 18 KB weights (32 filters) or 36 KB (64); one stage up to 32 channels, two
// above (the next slab is on its way while one is multiplied). From the second cache: src (10 * 18) / (8 * 16) = 1.4
// times an element and filter tile, where the gather of conv2d_forward.cu takes 9; and the weights once a block, which
// is now the larger part: a slab of 64 filters is 36 KB for 4.7 MFLOP, 100 FLOP/B of src and weights together (the
// gather with 128x128 tiles: 64). A tile of 16 x 16 pixels would halve the weights' part; not tried.

#include <cstdint>

#include "kernels/conv2d/halo.h"
#include "kernels/conv2d/launching.cuh"
#include "kernels/conv2d/store.cuh"

namespace cudacards {
namespace {

constexpr int kTaps = 3;
constexpr int kDstH = 8, kDstW = 16, kHaloH = kDstH + kTaps - 1, kHaloW = kDstW + kTaps - 1;
constexpr int kSlab = 32, kChunks = kSlab / kChunk;
static_assert(kDstW == kMmaM, "one m16 block is one row of the tile");

template <int kFilters>
using HaloShape = TensorShape<kDstH * kDstW, kFilters, kFilters == 64 ? 64 : 32, 32>;

struct Halo {
  int height, width, channels;  // of src
  int p, q, filters, top, left;
  const __nv_bfloat16* src;
  const __nv_bfloat16* weights;
  Epilogue<__nv_bfloat16> epilogue;
};

/// The weights of a slab keep the order of memory: forward (tap, filter; channel), backward (tap, channel; filter).
template <int kFilters, TileRows kWeightRows>
struct HaloStage {
  static constexpr int kTapRows = kWeightRows == TileRows::kOuter ? kFilters : kSlab;  // of one tap
  static constexpr int kColumns = kWeightRows == TileRows::kOuter ? kSlab : kFilters;
  Tile<__nv_bfloat16, kHaloH * kHaloW, kSlab> src;  // (pixel of the tile, channel)
  Tile<__nv_bfloat16, kTaps * kTaps * kTapRows, kColumns> weights;
};

/// The block's place: filters first, so that neighbours in time share the src tile.
struct HaloPlace {
  int picture, p0, q0, n0;
};
__device__ __forceinline__ HaloPlace place_of(const Halo& h, int filters_a_block) {
  const int tiles_n = (h.filters + filters_a_block - 1) / filters_a_block;
  const int tiles_q = (h.q + kDstW - 1) / kDstW, tiles_p = (h.p + kDstH - 1) / kDstH;
  int rest = static_cast<int>(blockIdx.x);
  HaloPlace at;
  at.n0 = rest % tiles_n * filters_a_block;
  rest /= tiles_n;
  at.q0 = rest % tiles_q * kDstW;
  rest /= tiles_q;
  at.p0 = rest % tiles_p * kDstH;
  at.picture = rest / tiles_p;
  return at;
}

/// Starts the copies of channels c0 ... c0 + 31 of src; zeros for the padding and for channels past the last.
template <int kThreads, class TileType>
__device__ __forceinline__ void fill_src(TileType& tile, const Halo& h, const HaloPlace& at, int c0) {
  const int chunk = static_cast<int>(threadIdx.x) % kChunks, c = c0 + chunk * kChunk;
#pragma unroll 2
  for (int pixel = static_cast<int>(threadIdx.x) / kChunks; pixel < kHaloH * kHaloW; pixel += kThreads / kChunks) {
    const int y = at.p0 - h.top + pixel / kHaloW, x = at.q0 - h.left + pixel % kHaloW;
    const bool inside = c < h.channels && static_cast<unsigned>(y) < static_cast<unsigned>(h.height) &&
                        static_cast<unsigned>(x) < static_cast<unsigned>(h.width);
    const std::int64_t from = ((std::int64_t{at.picture} * h.height + y) * h.width + x) * h.channels + c;
    async_copy<16>(tile.chunk(pixel, chunk), h.src + (inside ? from : 0), inside ? Fill::kCopy : Fill::kZero);
  }
}

/// The same of the weights, zeros for filters past the last. Forward they are (filters,R,S,channels), backward
/// (channels,R,S,filters) with the last tap first.
template <int kThreads, int kFilters, TileRows kWeightRows>
__device__ __forceinline__ void fill_weights(HaloStage<kFilters, kWeightRows>& stage, const Halo& h, int n0, int c0) {
  using Stage = HaloStage<kFilters, kWeightRows>;
  constexpr int kRowChunks = Stage::kColumns / kChunk, kRows = kTaps * kTaps * Stage::kTapRows;
  static_assert(kThreads % kRowChunks == 0, "a thread keeps its column");
  const int chunk = static_cast<int>(threadIdx.x) % kRowChunks;
#pragma unroll 2
  for (int row = static_cast<int>(threadIdx.x) / kRowChunks; row < kRows; row += kThreads / kRowChunks) {
    const int tap = row / Stage::kTapRows, row_of_tap = row % Stage::kTapRows;
    bool inside;
    std::int64_t from;
    if constexpr (kWeightRows == TileRows::kOuter) {
      const int filter = n0 + row_of_tap, c = c0 + chunk * kChunk;
      inside = filter < h.filters && c < h.channels;
      from = (std::int64_t{filter} * kTaps * kTaps + tap) * h.channels + c;
    } else {
      const int filter = n0 + chunk * kChunk, c = c0 + row_of_tap;
      inside = filter < h.filters && c < h.channels;
      from = (std::int64_t{c} * kTaps * kTaps + (kTaps * kTaps - 1 - tap)) * h.filters + filter;
    }
    async_copy<16>(stage.weights.chunk(row, chunk), h.weights + (inside ? from : 0),
                   inside ? Fill::kCopy : Fill::kZero);
  }
}

template <int kFilters, TileRows kWeightRows>
__device__ __forceinline__ void fill(HaloStage<kFilters, kWeightRows>& stage, const Halo& h, const HaloPlace& at,
                                     int c0) {
  fill_src<HaloShape<kFilters>::kThreads>(stage.src, h, at, c0);
  fill_weights<HaloShape<kFilters>::kThreads>(stage, h, at.n0, c0);
  async_commit();
}

/// All nine taps of one slab of channels.
template <class Gemm, int kFilters, TileRows kWeightRows>
__device__ __forceinline__ void multiply_slab(HaloStage<kFilters, kWeightRows>& stage, typename Gemm::Sums& sums) {
  using Shape = HaloShape<kFilters>;
  constexpr int kRows = Shape::kBlocksM;  // destination rows of one warp
  const int first_row = warp_index() / Shape::kWarpsN * kRows;
  const int n = warp_index() % Shape::kWarpsN * Shape::kWarpN;
#pragma unroll 1
  for (int s = 0; s < kTaps; ++s) {
#pragma unroll
    for (int k = 0; k < kSlab; k += 16) {
      std::uint32_t tile_rows[kRows + kTaps - 1][4];
#pragma unroll
      for (int i = 0; i < kRows + kTaps - 1; ++i) stage.src.load_a((first_row + i) * kHaloW + s, k, tile_rows[i]);
#pragma unroll
      for (int r = 0; r < kTaps; ++r) {
        std::uint32_t a[kRows][4], b[Shape::kBlocksN / 2][4];
#pragma unroll
        for (int i = 0; i < kRows; ++i)
#pragma unroll
          for (int e = 0; e < 4; ++e) a[i][e] = tile_rows[i + r][e];  // renamed registers, no move
#pragma unroll
        for (int j = 0; j < Shape::kBlocksN / 2; ++j) {
          const int tap_row = (r * kTaps + s) * stage.kTapRows, filter = n + j * 2 * kMmaN;
          if constexpr (kWeightRows == TileRows::kOuter)
            stage.weights.load_b(tap_row + filter, k, b[j]);
          else
            stage.weights.load_b_transposed(tap_row + k, filter, b[j]);
        }
        Gemm::multiply_fragments(a, b, sums);
      }
    }
  }
}

/// Row m of the block's tile is pixel (m / 16, m % 16) of its place.
struct HaloStore {
  const Halo& halo;
  const HaloPlace& at;
  __device__ __forceinline__ std::int64_t row(int m) const {
    const int p = at.p0 + m / kDstW, q = at.q0 + m % kDstW;
    if (p >= halo.p || q >= halo.q) return kNoRow;
    return ((std::int64_t{at.picture} * halo.p + p) * halo.q + q) * halo.filters;
  }
  __device__ __forceinline__ void quad(std::int64_t row, int column, const Quad& sum) const {
    halo.epilogue.quad(row, column, sum);
  }
};

template <int kFilters, TileRows kWeightRows>
__global__ void __launch_bounds__(HaloShape<kFilters>::kThreads, kFilters == 32 ? 4 : 3) conv2d_halo_kernel(Halo h) {
  using Gemm = TensorGemm<HaloShape<kFilters>, TileRows::kOuter, TileRows::kOuter>;
  HaloStage<kFilters, kWeightRows>* stages = dynamic_shared<HaloStage<kFilters, kWeightRows>>();
  const HaloPlace at = place_of(h, kFilters);
  typename Gemm::Sums sums;
  Gemm::clear(sums);
  fill(stages[0], h, at, 0);
  int stage = 0;
#pragma unroll 1
  for (int c0 = 0; c0 < h.channels; c0 += kSlab) {
    async_wait<0>();
    __syncthreads();  // everybody's share of this slab is there, and nobody reads the other stage any more
    if (c0 + kSlab < h.channels) fill(stages[1 - stage], h, at, c0 + kSlab);
    multiply_slab<Gemm>(stages[stage], sums);
    stage = 1 - stage;
  }
  Gemm::visit(sums, 0, at.n0, HaloStore{h, at});
}

template <int kFilters, TileRows kWeightRows>
Status start(const Halo& halo, int pictures, Stream stream) {
  const std::int64_t blocks =
      std::int64_t{pictures} * tiles_of(halo.p, kDstH) * tiles_of(halo.q, kDstW) * tiles_of(halo.filters, kFilters);
  const std::size_t stages = halo.channels > kSlab ? 2 : 1;
  return launch(conv2d_halo_kernel<kFilters, kWeightRows>,
                LaunchConfig{.grid = dim3(static_cast<unsigned>(blocks)),
                             .block = dim3(HaloShape<kFilters>::kThreads),
                             .shared_bytes = stages * sizeof(HaloStage<kFilters, kWeightRows>),
                             .stream = stream},
                halo);
}

}  // namespace

Verdict conv2d_halo_supports(const Conv2dProblem& problem, DType type) {
  if (type != DType::kBf16) return Verdict::no("the halo tile is for bf16");
  if (problem.r != kTaps || problem.s != kTaps || problem.stride_h != 1 || problem.stride_w != 1)
    return Verdict::no("the halo tile is for 3x3 of stride 1");
  if (problem.c % kChunk != 0) return Verdict::no("the halo tile needs channels in eights");
  return Verdict::yes();
}

Verdict conv2d_halo_backward_supports(const Conv2dProblem& problem, DType type) {
  if (problem.k % kChunk != 0) return Verdict::no("the halo tile needs filters in eights on the way back");
  return conv2d_halo_supports(problem, type);
}

bool conv2d_halo_fits(int rows, int columns) {
  const std::int64_t computed = tiles_of(rows, kDstH) * kDstH * tiles_of(columns, kDstW) * kDstW;
  return computed * 3 <= std::int64_t{rows} * columns * 4;  // at most a quarter of the work for nothing
}

Status conv2d_halo(const Conv2dProblem& problem, const Conv2dForwardArgs& args, Stream stream) {
  const Halo halo = {.height = problem.h,
                     .width = problem.w,
                     .channels = problem.c,
                     .p = problem.p(),
                     .q = problem.q(),
                     .filters = problem.k,
                     .top = problem.pad.top,
                     .left = problem.pad.left,
                     .src = static_cast<const __nv_bfloat16*>(args.src),
                     .weights = static_cast<const __nv_bfloat16*>(args.weights),
                     .epilogue = {.bias = args.bias,
                                  .residual = static_cast<const __nv_bfloat16*>(args.residual),
                                  .dst = static_cast<__nv_bfloat16*>(args.dst),
                                  .activation = args.activation,
                                  .rows = 0,
                                  .columns = problem.k}};
  return halo.filters <= 32 ? start<32, TileRows::kOuter>(halo, problem.n, stream)
                            : start<64, TileRows::kOuter>(halo, problem.n, stream);
}

Status conv2d_halo_backward(const Conv2dProblem& problem, const Conv2dBackwardDataArgs& args, Stream stream) {
  auto* diff_src = static_cast<__nv_bfloat16*>(args.diff_src);
  const Halo halo = {.height = problem.p(),
                     .width = problem.q(),
                     .channels = problem.k,
                     .p = problem.h,
                     .q = problem.w,
                     .filters = problem.c,
                     .top = kTaps - 1 - problem.pad.top,
                     .left = kTaps - 1 - problem.pad.left,
                     .src = static_cast<const __nv_bfloat16*>(args.diff_dst),
                     .weights = static_cast<const __nv_bfloat16*>(args.weights),
                     .epilogue = {.bias = nullptr,
                                  .residual = args.mode == GradMode::kAccumulate ? diff_src : nullptr,
                                  .dst = diff_src,
                                  .activation = Activation::kNone,
                                  .rows = 0,
                                  .columns = problem.c}};
  return halo.filters <= 32 ? start<32, TileRows::kDepth>(halo, problem.n, stream)
                            : start<64, TileRows::kDepth>(halo, problem.n, stream);
}

}  // namespace cudacards
