// dst[n,p,q,k] = act(max over the window (y,x) of bias[k] + sum over r,s,c of src[n,y+r-1,x+s-1,c] * weights[k,r,s,c])
//
// bf16 on tensor cores for C <= 4: the first layer of a network of pictures, from bf16 or from uint8, which bf16 holds
// exactly: the scale comes after the sum, in fp32. K a multiple of 8.
//
// A block computes 8 x 8 pooled pixels x 32 filters. Channels are padded to 4, the taps of a row to 4: one row of taps
// is 16 neighbouring values, one step of the matrix instruction, and the whole convolution is three steps for 27
// products (48 / 27 of the work of an exact fit, and no im2col):
//
//   A, row of taps r:   pixel x | x + 1 | x + 2 | x + 3 of image row y + r, 4 channels each: 32 bytes side by side
//   B                   s = 0   | 1     | 2     | zeros
//
// The tile: narrow_tile.cuh. A value that is not finite reaches one column further to the left than it should, by way
// of the tap that is padding (0 * inf).
//
// Moves for 224 x 224 x 3 uint8 -> 112 x 112 x 32: 0.15 MB read 1.27 times, 0.8 MB + 0.1 MB written. Bound by the
// matrix instructions and the stores alike.

#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/narrow_tile.cuh"
#include "kernels/simt/launch.h"

namespace cudacards::conv_pool {
namespace {

constexpr int kFilters = 32;
constexpr int kWindowRows = 2;  // of a warp
constexpr int kWarps = kTileWindows / kWindowRows;
constexpr int kThreads = kWarps * kWarpSize;

template <class S>
struct Shared {
  NarrowTile<S, kHaloSide> src;
  Tile<__nv_bfloat16, 3 * kFilters, 16> weights;  // row 32 r + i: filter filter_of_row(i); column 4 s + c
};

/// Weights as they lie in memory, and zeros where there are none.
template <class S>
__device__ __forceinline__ void load_weights(const ConvPoolProblem& p, const __nv_bfloat16* weights, int first_filter,
                                             Shared<S>& tile) {
  const int channels = p.conv.c, of_filter = kTaps * channels;
  const int filters = min(kFilters, p.conv.k - first_filter);
  for (int i = static_cast<int>(threadIdx.x); i < filters * of_filter; i += kThreads) {
    const int tap = i / channels % kTaps;
    tile.weights.at(tap / 3 * kFilters + row_of_filter(i / of_filter), kPadded * (tap % 3) + i % channels) =
        weights[first_filter * of_filter + i];
  }
  for (int i = static_cast<int>(threadIdx.x); i < 3 * kFilters * 4 * kPadded; i += kThreads) {
    const int column = i % (4 * kPadded), row = i / (4 * kPadded);
    if (column >= 3 * kPadded || column % kPadded >= channels || filter_of_row(row % kFilters) >= filters)
      tile.weights.at(row, column) = from_float<__nv_bfloat16>(0.0f);
  }
}

template <class S>
__global__ void __launch_bounds__(kThreads)
    conv_pool_forward_narrow_kernel(ConvPoolProblem p, int filter_tiles, const S* src, const __nv_bfloat16* weights,
                                    const float* bias, __nv_bfloat16* dst, std::uint32_t* argmax) {
  Shared<S>& tile = shared<Shared<S>>();
  const TensorTiles tiles(p.pooled_h(), p.pooled_w());
  const TileOrigin origin = tiles.origin(static_cast<int>(blockIdx.x) / filter_tiles);
  const int first_filter = static_cast<int>(blockIdx.x) % filter_tiles * kFilters;
  const int first_window_row = warp_index() * kWindowRows;

  load_raw<kThreads>(p, origin, src, tile.src);
  load_weights(p, weights, first_filter, tile);
  __syncthreads();  // the raw words are there
  unpack_pixels<kThreads>(p, origin, tile.src);
  __syncthreads();  // both copies are complete

  float sums[2 * kWindowRows][kFilters / 8][4] = {};
  const auto load_b = [&](int r, int pair, std::uint32_t(&b)[4]) {
    tile.weights.load_b(r * kFilters + 16 * pair, 0, b);
  };
  multiply_taps<1>(tile.src.halo, 2 * first_window_row, load_b, sums);

  const float scale = p.source == ConvPoolSource::kU8 ? p.scale : 1.0f;
#pragma unroll
  for (int i = 0; i < kWindowRows; ++i) {
    store_pooled<1>(p, sums[2 * i], sums[2 * i + 1], scale, bias, origin.n, origin.row + first_window_row + i,
                    origin.column, first_filter, dst, argmax);
  }
}

template <class S>
Status start(const ConvPoolProblem& p, const ConvPoolForwardArgs& args, Stream stream) {
  const TensorTiles tiles(p.pooled_h(), p.pooled_w());
  const int filter_tiles = (p.conv.k + kFilters - 1) / kFilters;
  const LaunchConfig config = {.grid = dim3(static_cast<unsigned>(tiles.per_picture() * p.conv.n * filter_tiles)),
                               .block = dim3(kThreads),
                               .shared_bytes = 0,
                               .stream = stream};
  return launch(conv_pool_forward_narrow_kernel<S>, config, p, filter_tiles, static_cast<const S*>(args.src),
                static_cast<const __nv_bfloat16*>(args.weights), args.bias, static_cast<__nv_bfloat16*>(args.dst),
                args.argmax);
}

}  // namespace

Status forward_narrow(const ConvPoolProblem& problem, const ConvPoolForwardArgs& args, Stream stream) {
  return problem.source == ConvPoolSource::kU8 ? start<std::uint8_t>(problem, args, stream)
                                               : start<__nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards::conv_pool
