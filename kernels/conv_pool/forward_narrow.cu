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
// A row of ldmatrix is 16 bytes at an even pixel; for odd x there is a second copy of the tile, shifted by one pixel.
// Eight windows are 128 bytes side by side: no bank conflict, no swizzle. A value that is not finite reaches one column
// further to the left than it should, by way of the tap that is padding (0 * inf).
//
//   bytes of the picture -> raw words (aligned loads; rows of 18 pixels begin anywhere) -> both copies
//
// Moves for 224 x 224 x 3 uint8 -> 112 x 112 x 32: 0.15 MB read 1.27 times, 0.8 MB + 0.1 MB written. Bound by the
// matrix instructions and the stores alike.

#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/tensor_tile.h"
#include "kernels/simt/launch.h"

namespace cudacards::conv_pool {
namespace {

constexpr int kFilters = 32;
constexpr int kWindowRows = 2;  // of a warp
constexpr int kWarps = kTileWindows / kWindowRows;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kPadded = 4;  // channels, and taps of a row

struct NarrowHalo {
  // [0] pixels 0 ... 17, [1] pixels 1 ... 18
  alignas(16) __nv_bfloat16 pixels[2][kHaloSide][kHaloSide][kPadded];

  /// As HaloTile::load_a; `column` is always 0.
  __device__ __forceinline__ void load_a(int row, int column, std::uint32_t (&a)[4]) {
    const int lane = lane_index();
    ldmatrix_x4(a, pixels[lane / 8 % 2][row][column + 2 * (lane % 8) + 2 * (lane / 16)]);
  }
};

template <class S>
struct Shared {
  static constexpr int kRawWords = (kHaloSide * kPadded * static_cast<int>(sizeof(S)) + 3 + 3) / 4;
  NarrowHalo halo;
  Tile<__nv_bfloat16, 3 * kFilters, 16> weights;  // row 32 r + i: filter filter_of_row(i); column 4 s + c
  alignas(16) std::uint32_t raw[kHaloSide][kRawWords];
};

/// Where the pixels of one image row of the tile lie in memory, in bytes from src.
struct RawRow {
  std::int64_t begin, end;
  __device__ __forceinline__ RawRow(const ConvPoolProblem& p, const TileOrigin& origin, int row, int pixel_bytes) {
    const int y = 2 * origin.row - 1 + row;
    const int first = max(2 * origin.column - 1, 0), last = min(2 * origin.column - 1 + kHaloSide, p.conv.w);
    const std::int64_t line = (std::int64_t{origin.n} * p.conv.h + y) * p.conv.w;
    const bool inside = y >= 0 && y < p.conv.h;
    begin = inside ? (line + first) * pixel_bytes : 0;
    end = inside ? (line + last) * pixel_bytes : 0;
  }
};

template <class S>
__device__ __forceinline__ void load_raw(const ConvPoolProblem& p, const TileOrigin& origin, const S* src,
                                         Shared<S>& tile) {
  constexpr int kWords = Shared<S>::kRawWords;
  const auto* bytes = reinterpret_cast<const unsigned char*>(src);
  const int pixel_bytes = p.conv.c * static_cast<int>(sizeof(S));
  const std::int64_t all = std::int64_t{p.conv.n} * p.conv.h * p.conv.w * pixel_bytes;
  for (int i = static_cast<int>(threadIdx.x); i < kHaloSide * kWords; i += kThreads) {
    const int row = i / kWords;
    const RawRow raw(p, origin, row, pixel_bytes);
    const std::int64_t at = raw.begin / 4 * 4 + i % kWords * 4;
    if (at >= raw.end) continue;
    std::uint32_t word = 0;
    if (at + 4 <= all) {
      word = *reinterpret_cast<const std::uint32_t*>(bytes + at);
    } else {  // the tensor's last bytes
      for (int byte = 0; at + byte < all; ++byte) word |= static_cast<std::uint32_t>(bytes[at + byte]) << (8 * byte);
    }
    tile.raw[row][i % kWords] = word;
  }
}

template <class S>
__device__ __forceinline__ void unpack_pixels(const ConvPoolProblem& p, const TileOrigin& origin, Shared<S>& tile) {
  const int pixel_bytes = p.conv.c * static_cast<int>(sizeof(S));
  for (int i = static_cast<int>(threadIdx.x); i < kHaloPixels; i += kThreads) {
    const int row = i / kHaloSide, column = i % kHaloSide;
    const RawRow raw(p, origin, row, pixel_bytes);
    const int x = 2 * origin.column - 1 + column;
    const bool inside = raw.end > raw.begin && x >= 0 && x < p.conv.w;
    const int offset = static_cast<int>(raw.begin % 4) + (x - max(2 * origin.column - 1, 0)) * pixel_bytes;
    const S* pixel = reinterpret_cast<const S*>(reinterpret_cast<const unsigned char*>(tile.raw[row]) + offset);
    Vec<__nv_bfloat16, kPadded> values;
#pragma unroll
    for (int c = 0; c < kPadded; ++c)
      values[c] = from_float<__nv_bfloat16>(inside && c < p.conv.c ? to_float(pixel[c]) : 0.0f);
    store_vector(tile.halo.pixels[0][row][column], values);
    if (column > 0) {
      store_vector(tile.halo.pixels[1][row][column - 1], values);
    } else {  // pixel 18, of the tap that is padding
      store_vector(tile.halo.pixels[1][row][kHaloSide - 1], Vec<__nv_bfloat16, kPadded>{});
    }
  }
}

template <class S>
__device__ __forceinline__ void load_weights(const ConvPoolProblem& p, const __nv_bfloat16* weights, int first_filter,
                                             Shared<S>& tile) {
  for (int i = static_cast<int>(threadIdx.x); i < 3 * kFilters * kPadded; i += kThreads) {
    const int s = i % kPadded, row = i / kPadded;
    const int filter = first_filter + filter_of_row(row % kFilters);
    const bool exists = s < 3 && filter < p.conv.k;
    Vec<__nv_bfloat16, kPadded> values;
#pragma unroll
    for (int c = 0; c < kPadded; ++c) {
      values[c] = exists && c < p.conv.c
                      ? weights[(std::int64_t{filter} * kTaps + row / kFilters * 3 + s) * p.conv.c + c]
                      : from_float<__nv_bfloat16>(0.0f);
    }
    store_vector(&tile.weights.at(row, kPadded * s), values);
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

  load_raw(p, origin, src, tile);
  load_weights(p, weights, first_filter, tile);
  __syncthreads();  // the raw words are there
  unpack_pixels(p, origin, tile);
  __syncthreads();  // both copies are complete

  float sums[2 * kWindowRows][kFilters / 8][4] = {};
  const auto load_b = [&](int r, int pair, std::uint32_t(&b)[4]) {
    tile.weights.load_b(r * kFilters + 16 * pair, 0, b);
  };
  multiply_taps<1>(tile.halo, 2 * first_window_row, load_b, sums);

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
