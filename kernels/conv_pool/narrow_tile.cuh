#pragma once
// Pictures of at most 4 channels as an operand of tensor cores: a tile of 16 pixels a row with its rim, channels padded
// to 4.
//
// Two neighbouring pixels are the 16 bytes of a row of ldmatrix, so three taps of a row (padded to four) are two of
// them: 16 values side by side, one step of the matrix instruction. A row of ldmatrix begins at an even pixel; for odd
// ones there is a second copy of the tile, shifted by one pixel. Eight windows are 128 bytes side by side: no bank
// conflict, no swizzle.
//
//   bytes of the picture -> raw words (aligned loads; rows of 18 pixels begin anywhere) -> both copies

#include "kernels/conv_pool/tensor_tile.cuh"

namespace cudacards::conv_pool {

constexpr int kPadded = 4;  // channels, and taps of a row

/// kRows with the rim.
template <int kRows>
struct NarrowHalo {
  // [0] pixels 0 ... 17, [1] pixels 1 ... 18
  alignas(16) __nv_bfloat16 pixels[2][kRows][kHaloSide][kPadded];

  /// The lane's row of ldmatrix: matrices left, right pixels of the windows, then the same two pixels further.
  __device__ __forceinline__ const void* lane_row(int row) const {
    const int lane = lane_index();
    return pixels[lane / 8 % 2][row][2 * (lane % 8) + 2 * (lane / 16)];
  }
  /// As HaloTile::load_a; `column` is always 0.
  __device__ __forceinline__ void load_a(int row, int column, std::uint32_t (&a)[4]) {
    static_cast<void>(column);
    ldmatrix_x4(a, lane_row(row));
  }
};

template <class S, int kRows>
struct NarrowTile {
  static constexpr int kRawWords = (kHaloSide * kPadded * static_cast<int>(sizeof(S)) + 3 + 3) / 4;
  NarrowHalo<kRows> halo;
  alignas(16) std::uint32_t raw[kRows][kRawWords];
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

template <int kThreads, class S, int kRows>
__device__ __forceinline__ void load_raw(const ConvPoolProblem& p, const TileOrigin& origin, const S* src,
                                         NarrowTile<S, kRows>& tile) {
  constexpr int kWords = NarrowTile<S, kRows>::kRawWords;
  const auto* bytes = reinterpret_cast<const unsigned char*>(src);
  const int pixel_bytes = p.conv.c * static_cast<int>(sizeof(S));
  const std::int64_t all = std::int64_t{p.conv.n} * p.conv.h * p.conv.w * pixel_bytes;
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kWords; i += kThreads) {
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

template <int kThreads, class S, int kRows>
__device__ __forceinline__ void unpack_pixels(const ConvPoolProblem& p, const TileOrigin& origin,
                                              NarrowTile<S, kRows>& tile) {
  const int pixel_bytes = p.conv.c * static_cast<int>(sizeof(S));
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kHaloSide; i += kThreads) {
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

}  // namespace cudacards::conv_pool
