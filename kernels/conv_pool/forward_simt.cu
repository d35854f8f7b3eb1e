// dst[n,p,q,k] = act(max over the window (y,x) of bias[k] + sum over r,s,c of src[n,y+r-1,x+s-1,c] * weights[k,r,s,c])
//
// On the arithmetic units of the cores: fp32, and bf16 or uint8 with channel counts that tensor cores cannot take.
// Tile, threads and banks: simt_tile.cuh, inputs = channels, outputs = filters. A thread owns all four pixels of a
// window, so the pool is four comparisons in registers.
//
// Moves src (each tile with its rim: 1.27 times, once for every 32 filters), weights (once a tile, from the second
// cache) and the pooled dst with 2 bits an element. Bound by the multiply-adds from C = 8 on: 288 to 26 loads of shared
// memory.

#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/simt_tile.cuh"
#include "kernels/simt/launch.h"

namespace cudacards::conv_pool {
namespace {

/// The words of argmax that a window's 32 filters fill: four lanes give a byte (four filters) to each of two words.
__device__ __forceinline__ void store_winners(const ConvPoolProblem& p, const SimtPlace& place, std::uint32_t low,
                                              std::uint32_t high, int first_filter, std::uint32_t* pixel, bool inside) {
  low <<= 8 * place.group;
  high <<= 8 * place.group;
#pragma unroll
  for (int step = 8; step <= 16; step *= 2) {  // the lanes of one window are eight apart
    low |= __shfl_xor_sync(kWholeWarp, low, step);
    high |= __shfl_xor_sync(kWholeWarp, high, step);
  }
  const int word = first_filter / ConvPoolProblem::kFiltersPerWord + place.group;
  if (inside && place.group < 2 && word < p.argmax_words_per_pixel()) pixel[word] = place.group == 0 ? low : high;
}

template <class S, class T>
__global__ void __launch_bounds__(SimtTile::kThreads)
    conv_pool_forward_simt_kernel(ConvPoolProblem p, int filter_tiles, const S* src, const T* weights,
                                  const float* bias, T* dst, std::uint32_t* argmax) {
  SimtTile& tile = shared<SimtTile>();
  const SimtTiles tiles(p.pooled_h(), p.pooled_w());
  const TileOrigin origin = tiles.origin(static_cast<int>(blockIdx.x) / filter_tiles);
  const int first_filter = static_cast<int>(blockIdx.x) % filter_tiles * SimtTile::kOutputs;
  const SimtPlace place;
  const int height = p.conv.h, width = p.conv.w, channels = p.conv.c, filters = p.conv.k;
  const S* picture = src + std::int64_t{origin.n} * height * width * channels;

  float sums[kWindow][SimtTile::kPerThread] = {};
  for (int first = 0; first < channels; first += SimtTile::kInputs) {
    const int count = min(SimtTile::kInputs, channels - first);
    load_inputs(tile, count, [&](int row, int column, int input) {
      const int y = 2 * origin.row - 1 + row, x = 2 * origin.column - 1 + column;
      if (y < 0 || y >= height || x < 0 || x >= width) return 0.0f;
      return to_float(picture[(std::int64_t{y} * width + x) * channels + first + input]);
    });
    for (int i = static_cast<int>(threadIdx.x); i < kTaps * SimtTile::kOutputs * SimtTile::kInputs;
         i += SimtTile::kThreads) {
      const int input = i % SimtTile::kInputs, output = i / SimtTile::kInputs % SimtTile::kOutputs;
      const int tap = i / (SimtTile::kInputs * SimtTile::kOutputs), filter = first_filter + output;
      if (input >= count) continue;
      tile.weights[input * kTaps + tap][output] =
          filter < filters ? to_float(weights[(std::int64_t{filter} * kTaps + tap) * channels + first + input]) : 0.0f;
    }
    __syncthreads();  // the slab is complete
    multiply(tile, count, place, sums);
    __syncthreads();  // nobody reads it any more
  }

  const int row = origin.row + place.row, column = origin.column + place.column;
  const bool inside = row < p.pooled_h() && column < p.pooled_w();
  const std::int64_t pixel = PooledGradient<T>::pixel(p, origin.n, row, column);
  const float scale = p.source == ConvPoolSource::kU8 ? p.scale : 1.0f;
  std::uint32_t winners[2] = {};  // of the low and the high four filters
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int filter = first_filter + place.output(4 * half);
    float results[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const bool exists = filter + j < filters;
      const float shift = exists && bias != nullptr ? bias[filter + j] : 0.0f;
      float pixels[kWindow];
#pragma unroll
      for (int i = 0; i < kWindow; ++i) pixels[i] = __fmaf_rn(sums[i][4 * half + j], scale, shift);
      const Best best = pool<T>(pixels);
      results[j] = apply(p.activation, best.value);
      winners[half] |= exists ? best.winner << (2 * j) : 0u;
    }
    if (inside) store_quad(dst + pixel * filters + filter, results, filters - filter, has_aligned_quads(filters));
  }
  if (argmax != nullptr) {
    store_winners(p, place, winners[0], winners[1], first_filter, argmax + pixel * p.argmax_words_per_pixel(), inside);
  }
}

template <class S, class T>
Status start(const ConvPoolProblem& p, const ConvPoolForwardArgs& args, Stream stream) {
  const SimtTiles tiles(p.pooled_h(), p.pooled_w());
  const int filter_tiles = (p.conv.k + SimtTile::kOutputs - 1) / SimtTile::kOutputs;
  const LaunchConfig config = {.grid = dim3(static_cast<unsigned>(tiles.per_picture() * p.conv.n * filter_tiles)),
                               .block = dim3(SimtTile::kThreads),
                               .shared_bytes = 0,
                               .stream = stream};
  return launch(conv_pool_forward_simt_kernel<S, T>, config, p, filter_tiles, static_cast<const S*>(args.src),
                static_cast<const T*>(args.weights), args.bias, static_cast<T*>(args.dst), args.argmax);
}

}  // namespace

Status forward_simt(const ConvPoolProblem& problem, DType type, const ConvPoolForwardArgs& args, Stream stream) {
  const bool pixels = problem.source == ConvPoolSource::kU8;
  if (type == DType::kF32) {
    return pixels ? start<std::uint8_t, float>(problem, args, stream) : start<float, float>(problem, args, stream);
  }
  return pixels ? start<std::uint8_t, __nv_bfloat16>(problem, args, stream)
                : start<__nv_bfloat16, __nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards::conv_pool
