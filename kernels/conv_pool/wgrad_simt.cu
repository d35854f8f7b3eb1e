// diff_weights[k,r,s,c] = sum over n,p,q of diff[n,p,q,k] * src[n, y+r-1, x+s-1, c], (y,x) the winner of window (p,q)
// diff_bias[k] = sum over n,p,q of diff[n,p,q,k];  diff = diff_dst where the activation lets through, else 0
//
// On the arithmetic units of the cores, and only over winners: a quarter of the multiply-adds of a convolution's weight
// gradient. A block sums 32 filters x 32 channels (C > 4) or x 4 channels (C <= 4) over the tiles split,
// split + splits, ... and leaves a partial sum.
//
//   tile: 4 x 8 windows                       thread: one filter, four channels, nine taps (36 sums)
//   src    10 x 18 pixels x channels          for each window: where the filter's winner is (8 bytes), then nine
//   picks  32 windows x 32 filters            times four channels from there (16 bytes each)
//
// Banks: eight lanes read the 32 channels of one pixel (C > 4); for C <= 4 32 filters read one of four pixels of a
// window, 16 bytes each, of which no two share a bank: rows are 72 floats apart, 8 banks.
// Bound by shared memory: 16 bytes a lane for four multiply-adds.

#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/simt_tile.cuh"
#include "kernels/simt/launch.h"

namespace cudacards::conv_pool {
namespace {

constexpr int kWindowRows = 4, kWindowColumns = 8;
constexpr int kWindows = kWindowRows * kWindowColumns;
constexpr int kSide = 2 * kWindowColumns + 2;
constexpr int kPixels = (2 * kWindowRows + 2) * kSide;
constexpr int kFilters = 32;
constexpr int kThreads = 256;
constexpr int kSums = kTaps * 4;

using Tiles = TileGrid<kWindowRows, kWindowColumns>;

/// kQuads: groups of four channels side by side in a warp.
template <int kQuads>
struct Shape {
  static_assert(kQuads == 8 || kQuads == 1);
  static constexpr int kChannels = 4 * kQuads;
  static constexpr int kFiltersOfWarp = kWarpSize / kQuads;
  static constexpr int kFilterWarps = kFilters / kFiltersOfWarp;
  static constexpr int kSlices = kThreads / kWarpSize / kFilterWarps;  // of the windows
};

/// What one filter's winner gets, and its pixel in the tile (as bits), counted from the tap (0, 0).
using Pick = Vec<float, 2>;

template <int kQuads>
struct Shared {
  alignas(16) float src[kPixels][Shape<kQuads>::kChannels];
  alignas(16) Pick picks[kWindows][kFilters];
  float sums[Shape<kQuads>::kSlices][kFilters][kSums + 1];  // + 1: filters on different banks
};

template <class S, int kQuads>
__device__ __forceinline__ void load_src(const ConvPoolProblem& p, const TileOrigin& origin, int first_channel,
                                         const S* src, Shared<kQuads>& tile) {
  constexpr int kChannels = Shape<kQuads>::kChannels;
  const S* picture = src + std::int64_t{origin.n} * p.conv.h * p.conv.w * p.conv.c;
  for (int i = static_cast<int>(threadIdx.x); i < kPixels * kChannels; i += kThreads) {
    const int channel = first_channel + i % kChannels, pixel = i / kChannels;
    const int y = 2 * origin.row - 1 + pixel / kSide, x = 2 * origin.column - 1 + pixel % kSide;
    const bool inside = y >= 0 && y < p.conv.h && x >= 0 && x < p.conv.w && channel < p.conv.c;
    tile.src[pixel][i % kChannels] =
        inside ? to_float(picture[(std::int64_t{y} * p.conv.w + x) * p.conv.c + channel]) : 0.0f;
  }
}

template <class T, int kQuads>
__device__ __forceinline__ void load_picks(const ConvPoolProblem& p, const TileOrigin& origin, int first_filter,
                                           const PooledGradient<T>& pooled, Shared<kQuads>& tile) {
  for (int i = static_cast<int>(threadIdx.x); i < kWindows * kFilters; i += kThreads) {
    const int filter = i % kFilters, window = i / kFilters;
    const int row = window / kWindowColumns, column = window % kWindowColumns;
    float diff = 0;
    std::uint32_t winner = 0;
    if (first_filter + filter < p.conv.k && PooledGradient<T>::inside(p, origin.row + row, origin.column + column)) {
      const std::int64_t pixel = PooledGradient<T>::pixel(p, origin.n, origin.row + row, origin.column + column);
      diff = pooled.one(p, pixel, first_filter + filter, winner);
    }
    const int place = static_cast<int>(winner);
    const int pixel = (2 * row + place / 2) * kSide + 2 * column + place % 2;
    store_vector(&tile.picks[window][filter][0], Pick{{diff, __int_as_float(pixel)}});
  }
}

template <class S, class T, int kQuads>
__global__ void __launch_bounds__(kThreads)
    conv_pool_wgrad_simt_kernel(ConvPoolProblem p, int splits, int filter_tiles, int channel_tiles, const S* src,
                                PooledGradient<T> pooled, float* partial) {
  using Place = Shape<kQuads>;
  Shared<kQuads>& tile = shared<Shared<kQuads>>();
  const Tiles tiles(p.pooled_h(), p.pooled_w());
  const int block = static_cast<int>(blockIdx.x);
  const int first_channel = block % channel_tiles * Place::kChannels;
  const int first_filter = block / channel_tiles % filter_tiles * kFilters;
  const int split = block / channel_tiles / filter_tiles;
  const int quad = lane_index() % kQuads;
  const int filter = lane_index() / kQuads + warp_index() % Place::kFilterWarps * Place::kFiltersOfWarp;
  const int slice = warp_index() / Place::kFilterWarps;

  float sums[kTaps][4] = {};
  float bias_sum = 0;
  for (int t = split; t < tiles.per_picture() * p.conv.n; t += splits) {
    const TileOrigin origin = tiles.origin(t);
    load_src(p, origin, first_channel, src, tile);
    load_picks(p, origin, first_filter, pooled, tile);
    __syncthreads();  // the tile is complete
    for (int window = slice; window < kWindows; window += Place::kSlices) {
      const Pick pick = load_vector<2>(&tile.picks[window][filter][0]);
      const int pixel = __float_as_int(pick[1]);
      bias_sum += pick[0];
#pragma unroll
      for (int tap = 0; tap < kTaps; ++tap) {
        const Vec<float, 4> x = load_vector<4>(&tile.src[pixel + tap / 3 * kSide + tap % 3][4 * quad]);
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[tap][i] = __fmaf_rn(pick[0], x[i], sums[tap][i]);
      }
    }
    __syncthreads();  // nobody reads it any more
  }

  const int channels = p.conv.c;
  const std::int64_t weight_elements = std::int64_t{p.conv.k} * kTaps * channels;
  float* weights = partial + split * (weight_elements + p.conv.k);
  float* bias = weights + weight_elements;
  if constexpr (Place::kSlices == 1) {
    if (first_filter + filter < p.conv.k) {
      const int channel = first_channel + 4 * quad;
      float* row = weights + std::int64_t{first_filter + filter} * kTaps * channels + channel;
#pragma unroll
      for (int tap = 0; tap < kTaps; ++tap)
        store_quad(row + tap * channels, sums[tap], channels - channel, has_aligned_quads(channels));
      if (quad == 0 && first_channel == 0) bias[first_filter + filter] = bias_sum;
    }
  } else {
#pragma unroll
    for (int i = 0; i < kSums; ++i) tile.sums[slice][filter][i] = sums[i / 4][i % 4];
    tile.sums[slice][filter][kSums] = bias_sum;
    __syncthreads();  // all slices are there
    const int filters = min(kFilters, p.conv.k - first_filter);
    const auto sum_of_slices = [&](int of, int i) {
      float sum = 0;
#pragma unroll
      for (int s = 0; s < Place::kSlices; ++s) sum += tile.sums[s][of][i];
      return sum;
    };
    for (int i = static_cast<int>(threadIdx.x); i < filters * kTaps * channels; i += kThreads) {
      const int of = i / (kTaps * channels), tap = i / channels % kTaps;
      weights[std::int64_t{first_filter} * kTaps * channels + i] = sum_of_slices(of, 4 * tap + i % channels);
    }
    const int of = static_cast<int>(threadIdx.x);
    if (of < filters) bias[first_filter + of] = sum_of_slices(of, kSums);
  }
}

int tiles_of(int count, int size) { return (count + size - 1) / size; }
int channels_of_tile(const ConvPoolProblem& p) {
  return p.conv.c <= Shape<1>::kChannels ? Shape<1>::kChannels : Shape<8>::kChannels;
}

template <class S, class T, int kQuads>
Status start(const ConvPoolProblem& p, int splits, const ConvPoolWeightsArgs& args, Stream stream) {
  const int filter_tiles = tiles_of(p.conv.k, kFilters), channel_tiles = tiles_of(p.conv.c, Shape<kQuads>::kChannels);
  const LaunchConfig config = {.grid = dim3(static_cast<unsigned>(splits * filter_tiles * channel_tiles)),
                               .block = dim3(kThreads),
                               .shared_bytes = 0,
                               .stream = stream};
  const PooledGradient<T> pooled = {static_cast<const T*>(args.diff_dst), static_cast<const T*>(args.dst), args.argmax};
  return launch(conv_pool_wgrad_simt_kernel<S, T, kQuads>, config, p, splits, filter_tiles, channel_tiles,
                static_cast<const S*>(args.src), pooled, args.workspace);
}

template <class S, class T>
Status start_as_wide(const ConvPoolProblem& p, int splits, const ConvPoolWeightsArgs& args, Stream stream) {
  return channels_of_tile(p) == Shape<1>::kChannels ? start<S, T, 1>(p, splits, args, stream)
                                                    : start<S, T, 8>(p, splits, args, stream);
}

}  // namespace

std::int64_t weights_simt_tiles(const ConvPoolProblem& p) {
  return std::int64_t{Tiles(p.pooled_h(), p.pooled_w()).per_picture()} * p.conv.n;
}
std::int64_t weights_simt_blocks(const ConvPoolProblem& p) {
  return std::int64_t{tiles_of(p.conv.k, kFilters)} * tiles_of(p.conv.c, channels_of_tile(p));
}

Status backward_weights_simt(const ConvPoolProblem& problem, DType type, int splits, const ConvPoolWeightsArgs& args,
                             Stream stream) {
  const bool pixels = problem.source == ConvPoolSource::kU8;
  if (type == DType::kF32) {
    return pixels ? start_as_wide<std::uint8_t, float>(problem, splits, args, stream)
                  : start_as_wide<float, float>(problem, splits, args, stream);
  }
  return pixels ? start_as_wide<std::uint8_t, __nv_bfloat16>(problem, splits, args, stream)
                : start_as_wide<__nv_bfloat16, __nv_bfloat16>(problem, splits, args, stream);
}

}  // namespace cudacards::conv_pool
