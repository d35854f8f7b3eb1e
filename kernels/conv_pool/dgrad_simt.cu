// diff_src[n,y,x,c] = sum over r,s,k of diff[n,y+1-r,x+1-s,k] * weights[k,r,s,c],
// diff[n,y,x,k] = diff_dst[n,y/2,x/2,k] where (y,x) won its window and the activation lets through, else 0
//
// On the arithmetic units of the cores. Tile, threads and banks: simt_tile.cuh, inputs = filters, outputs = channels.
// The gradient before the pool exists only in shared memory, 18 x 18 pixels x 8 filters at a time: it is spread there
// from the 10 x 10 pooled pixels that touch the tile.
//
// Moves diff_dst, dst and argmax (each tile with its rim: 1.56 times, once for every 32 channels) and diff_src. Bound
// by the multiply-adds, three quarters of which have a zero factor.

#include "kernels/base/grad_mode.h"
#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/simt_tile.cuh"
#include "kernels/simt/launch.h"

namespace cudacards::conv_pool {
namespace {

/// 8 filters of the 10 x 10 windows that touch the tile, spread over their 4 pixels; the corners outside are dropped.
template <class T>
__device__ __forceinline__ void spread(SimtTile& tile, const ConvPoolProblem& p, const PooledGradient<T>& pooled,
                                       const TileOrigin& origin, int first, int count) {
  constexpr int kAcross = SimtTile::kWindows + 2;
  for (int i = static_cast<int>(threadIdx.x); i < kAcross * kAcross * SimtTile::kInputs; i += SimtTile::kThreads) {
    const int input = i % SimtTile::kInputs, window = i / SimtTile::kInputs;
    const int row = window / kAcross - 1, column = window % kAcross - 1;
    if (input >= count) continue;
    float diff = 0;
    std::uint32_t winner = 0;
    if (PooledGradient<T>::inside(p, origin.row + row, origin.column + column)) {
      const std::int64_t pixel = PooledGradient<T>::pixel(p, origin.n, origin.row + row, origin.column + column);
      diff = pooled.one(p, pixel, first + input, winner);
    }
#pragma unroll
    for (std::uint32_t place = 0; place < kWindow; ++place) {
      const int y = 2 * row + 1 + static_cast<int>(place / 2), x = 2 * column + 1 + static_cast<int>(place % 2);
      if (y >= 0 && y < SimtTile::kSide && x >= 0 && x < SimtTile::kSide)
        tile.inputs[input][y * SimtTile::kSide + x] = winner == place ? diff : 0.0f;
    }
  }
}

template <class T>
__device__ __forceinline__ void load_flipped_weights(SimtTile& tile, const ConvPoolProblem& p, const T* weights,
                                                     int first, int count, int first_channel) {
  for (int i = static_cast<int>(threadIdx.x); i < kTaps * SimtTile::kOutputs * SimtTile::kInputs;
       i += SimtTile::kThreads) {
    const int output = i % SimtTile::kOutputs, row = i / SimtTile::kOutputs;
    const int tap = row % kTaps, input = row / kTaps, channel = first_channel + output;
    if (input >= count) continue;
    const std::int64_t filter = first + input;
    tile.weights[row][output] =
        channel < p.conv.c ? to_float(weights[(filter * kTaps + (kTaps - 1 - tap)) * p.conv.c + channel]) : 0.0f;
  }
}

template <class T>
__global__ void __launch_bounds__(SimtTile::kThreads)
    conv_pool_dgrad_simt_kernel(ConvPoolProblem p, int channel_tiles, PooledGradient<T> pooled, const T* weights,
                                GradMode mode, T* diff_src) {
  SimtTile& tile = shared<SimtTile>();
  const SimtTiles tiles((p.conv.h + 1) / 2, (p.conv.w + 1) / 2);  // an odd last row is not pooled, but has a gradient
  const TileOrigin origin = tiles.origin(static_cast<int>(blockIdx.x) / channel_tiles);
  const int first_channel = static_cast<int>(blockIdx.x) % channel_tiles * SimtTile::kOutputs;
  const SimtPlace place;

  float sums[kWindow][SimtTile::kPerThread] = {};
  for (int first = 0; first < p.conv.k; first += SimtTile::kInputs) {
    const int count = min(SimtTile::kInputs, p.conv.k - first);
    spread(tile, p, pooled, origin, first, count);
    load_flipped_weights(tile, p, weights, first, count, first_channel);
    __syncthreads();  // the slab is complete
    multiply(tile, count, place, sums);
    __syncthreads();  // nobody reads it any more
  }

  const bool aligned = has_aligned_quads(p.conv.c);
#pragma unroll
  for (int i = 0; i < kWindow; ++i) {
    const int y = 2 * (origin.row + place.row) + i / 2, x = 2 * (origin.column + place.column) + i % 2;
    if (y >= p.conv.h || x >= p.conv.w) continue;
    T* pixel = diff_src + ((std::int64_t{origin.n} * p.conv.h + y) * p.conv.w + x) * p.conv.c;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int channel = first_channel + place.output(4 * half);
      if (mode == GradMode::kAccumulate) {
        for (int j = 0; j < 4; ++j) {
          if (channel + j < p.conv.c) sums[i][4 * half + j] += to_float(pixel[channel + j]);
        }
      }
      store_quad(pixel + channel, &sums[i][4 * half], p.conv.c - channel, aligned);
    }
  }
}

template <class T>
Status start(const ConvPoolProblem& p, const ConvPoolDataArgs& args, Stream stream) {
  const SimtTiles tiles((p.conv.h + 1) / 2, (p.conv.w + 1) / 2);
  const int channel_tiles = (p.conv.c + SimtTile::kOutputs - 1) / SimtTile::kOutputs;
  const LaunchConfig config = {.grid = dim3(static_cast<unsigned>(tiles.per_picture() * p.conv.n * channel_tiles)),
                               .block = dim3(SimtTile::kThreads),
                               .shared_bytes = 0,
                               .stream = stream};
  const PooledGradient<T> pooled = {static_cast<const T*>(args.diff_dst), static_cast<const T*>(args.dst), args.argmax};
  return launch(conv_pool_dgrad_simt_kernel<T>, config, p, channel_tiles, pooled, static_cast<const T*>(args.weights),
                args.mode, static_cast<T*>(args.diff_src));
}

}  // namespace

Status backward_data_simt(const ConvPoolProblem& problem, DType type, const ConvPoolDataArgs& args, Stream stream) {
  return type == DType::kF32 ? start<float>(problem, args, stream) : start<__nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards::conv_pool
