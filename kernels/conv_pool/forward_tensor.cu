// dst[n,p,q,k] = act(max over the window (y,x) of bias[k] + sum over r,s,c of src[n,y+r-1,x+s-1,c] * weights[k,r,s,c])
//
// bf16 on tensor cores, C a multiple of 16, K a multiple of 8. A block computes 8 x 8 pooled pixels (16 x 16 of the
// convolution, which nobody stores) x 64 filters, 16 channels at a time:
//
//   shared memory, two stages               warp 0  image rows 0 ... 3   (pooled rows 0, 1)  x 64 filters
//   src      18 x 18 x 16      11 KB        warp 1  image rows 4 ... 7
//   weights  9 taps x 64 x 16  18 KB        warp 2  image rows 8 ... 11
//   59 KB in all                            warp 3  image rows 12 ... 15
//
// A warp has 4 x 8 accumulator tiles (128 registers): for each column of taps 6 fragments of A and 12 pairs of B feed
// 96 matrix instructions. The nine taps are nine shifted views of one tile: nothing is fetched twice, there is no
// im2col. The order of rows (tensor_tile.cuh) gives the four pixels of a window to one thread; the order of filters
// gives it 8 neighbouring filters: the pool takes no shuffle and dst is stored 16 bytes a lane.
//
// Moves src 1.27 times for each 64 filters, weights once a tile from the second cache, and the pooled dst with 2 bits
// an element: for 112 x 112 x 32 -> 64, 2.4 MB a picture would be written unfused, 0.4 MB are. 462 MFLOP a picture:
// bound by the matrix instructions.

#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/tensor_tile.cuh"
#include "kernels/simt/launch.h"

namespace cudacards::conv_pool {
namespace {

constexpr int kFilters = 64;
constexpr int kWindowRows = 2;  // of a warp
constexpr int kWarps = kTileWindows / kWindowRows;
constexpr int kThreads = kWarps * kWarpSize;

struct Stage {
  HaloTile src;
  Tile<__nv_bfloat16, kTaps * kFilters, kSlab> weights;  // row tap * 64 + i: filter filter_of_row(i)
};
constexpr int kStages = 2;

struct Block {
  TileOrigin origin;
  int first_filter;
};

/// Starts the copies of channels first ... first + 15.
__device__ __forceinline__ void copy_slab(const ConvPoolProblem& p, const Block& block, const __nv_bfloat16* src,
                                          const __nv_bfloat16* weights, int first, Stage& stage) {
  constexpr int kChunks = kSlab / kOctet;
  const int height = p.conv.h, width = p.conv.w, channels = p.conv.c;
  const __nv_bfloat16* picture = src + std::int64_t{block.origin.n} * height * width * channels + first;
  for (int i = static_cast<int>(threadIdx.x); i < kHaloPixels * kChunks; i += kThreads) {
    const int chunk = i % kChunks, pixel = i / kChunks;
    const int y = 2 * block.origin.row - 1 + pixel / kHaloSide, x = 2 * block.origin.column - 1 + pixel % kHaloSide;
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    async_copy<16>(stage.src.chunk(pixel / kHaloSide, pixel % kHaloSide, chunk),
                   picture + (inside ? (std::int64_t{y} * width + x) * channels + chunk * kOctet : 0),
                   inside ? Fill::kCopy : Fill::kZero);
  }
  for (int i = static_cast<int>(threadIdx.x); i < kTaps * kFilters * kChunks; i += kThreads) {
    const int chunk = i % kChunks, row = i / kChunks;
    const int filter = block.first_filter + filter_of_row(row % kFilters);
    const bool exists = filter < p.conv.k;
    const std::int64_t tap_of_filter = (exists ? std::int64_t{filter} : 0) * kTaps + row / kFilters;
    async_copy<16>(stage.weights.chunk(row, chunk), weights + tap_of_filter * channels + first + chunk * kOctet,
                   exists ? Fill::kCopy : Fill::kZero);
  }
  async_commit();
}

__global__ void __launch_bounds__(kThreads)
    conv_pool_forward_tensor_kernel(ConvPoolProblem p, int filter_tiles, const __nv_bfloat16* src,
                                    const __nv_bfloat16* weights, const float* bias, __nv_bfloat16* dst,
                                    std::uint32_t* argmax) {
  Stage* stages = dynamic_shared<Stage>();
  const TensorTiles tiles(p.pooled_h(), p.pooled_w());
  const Block block = {tiles.origin(static_cast<int>(blockIdx.x) / filter_tiles),
                       static_cast<int>(blockIdx.x) % filter_tiles * kFilters};
  const int first_window_row = warp_index() * kWindowRows;

  float sums[2 * kWindowRows][kFilters / 8][4] = {};
  const int slabs = p.conv.c / kSlab;
  copy_slab(p, block, src, weights, 0, stages[0]);
  for (int slab = 0; slab < slabs; ++slab) {
    Stage& stage = stages[slab % kStages];
    async_wait<0>();
    __syncthreads();  // everybody's copies have landed, and nobody reads the other stage any more
    if (slab + 1 < slabs) copy_slab(p, block, src, weights, (slab + 1) * kSlab, stages[(slab + 1) % kStages]);
    const auto load_b = [&](int tap, int pair, std::uint32_t(&b)[4]) {
      stage.weights.load_b(tap * kFilters + 16 * pair, 0, b);
    };
    multiply_taps<3>(stage.src, 2 * first_window_row, load_b, sums);
  }

#pragma unroll
  for (int i = 0; i < kWindowRows; ++i) {
    store_pooled<2>(p, sums[2 * i], sums[2 * i + 1], 1.0f, bias, block.origin.n,
                    block.origin.row + first_window_row + i, block.origin.column, block.first_filter, dst, argmax);
  }
}

}  // namespace

Status forward_tensor(const ConvPoolProblem& p, const ConvPoolForwardArgs& args, Stream stream) {
  const TensorTiles tiles(p.pooled_h(), p.pooled_w());
  const int filter_tiles = (p.conv.k + kFilters - 1) / kFilters;
  const LaunchConfig config = {.grid = dim3(static_cast<unsigned>(tiles.per_picture() * p.conv.n * filter_tiles)),
                               .block = dim3(kThreads),
                               .shared_bytes = kStages * sizeof(Stage),
                               .stream = stream};
  return launch(conv_pool_forward_tensor_kernel, config, p, filter_tiles, static_cast<const __nv_bfloat16*>(args.src),
                static_cast<const __nv_bfloat16*>(args.weights), args.bias, static_cast<__nv_bfloat16*>(args.dst),
                args.argmax);
}

}  // namespace cudacards::conv_pool
