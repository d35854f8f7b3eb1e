#pragma once
// What the tensor-core kernels of this folder share: a tile of 16 x 16 pixels with its rim, 16 channels of it at a
// time, as the A operand of nine shifted views.
//
// A 16 x 16 fragment of A is one row of 16 pixels, in this order: rows g and g + 8 of the matrix are the left and the
// right pixel of window g. So one lane has, in the accumulators of two neighbouring image rows, all four pixels of a
// window:
//
//   matrix row     0  1  2 ...  7  8  9 ... 15          accumulators of lane 4 g + m, image rows y and y + 1:
//   pixel          0  2  4 ... 14  1  3 ... 15            [y][0 1] [y][2 3]        place 0, 1 of the window
//                                                         [y+1][0 1] [y+1][2 3]    place 2, 3
//
// The fragments of an image row serve all three rows of taps: a warp with 2 n image rows loads 2 n + 2 fragments for
// each column of taps, not 6 n.

#include <cstdint>

#include "kernels/conv_pool/window.cuh"
#include "kernels/simt/async_copy.h"
#include "kernels/simt/shared.h"
#include "kernels/simt/tile.h"

namespace cudacards::conv_pool {

constexpr int kTileWindows = 8;                  // pooled rows and columns of a block's tile
constexpr int kHaloSide = 2 * kTileWindows + 2;  // pixels with the rim
constexpr int kHaloPixels = kHaloSide * kHaloSide;
constexpr int kSlab = 16;  // channels at a time: one step of the matrix instruction
constexpr int kOctet = 8;  // 16 bytes of bf16

using TensorTiles = TileGrid<kTileWindows, kTileWindows>;

/// 18 x 18 pixels x 16 channels, two chunks of 16 bytes a pixel, four pixels a line of 128 bytes, five lines a row.
/// Eight pixels two apart (ldmatrix), four pixels two apart with both chunks (spreading a gradient) and four neighbours
/// with both chunks (copying) each fall on the eight quarters of the banks. The swizzle knows only the column, so that
/// the fragments of all rows are at constant distances from each other.
struct HaloTile {
  static constexpr int kPitch = 20;  // pixels
  alignas(128) __nv_bfloat16 elements[kHaloSide * kPitch * kSlab];

  __device__ __forceinline__ __nv_bfloat16* chunk(int row, int column, int chunk) {
    const int line = column / 4;
    const int swizzle = (line & 1) << 1 | (line >> 1 & 1);  // 0 2 1 3: neighbouring lines differ in the upper bit
    return elements + (row * kPitch + line * 4) * kSlab + (((column % 4) * 2 + chunk) ^ swizzle) * kOctet;
  }
  /// The 16 pixels of image row `row`, from column `column` on, in the order above.
  __device__ __forceinline__ void load_a(int row, int column, std::uint32_t (&a)[4]) {
    const int lane = lane_index();
    ldmatrix_x4(a, chunk(row, column + 2 * (lane % 8) + lane / 8 % 2, lane / 16));
  }
};

/// sums[y][j] += image row first_row + y (of the tile, without the rim) * outputs 8 j ... 8 j + 7, all nine taps.
/// load_b(step, pair, b) loads the weights of outputs 16 pair ... 16 pair + 15; steps as the halo is shifted: kShifts
/// row + column.
template <int kShifts, int kRows, int kTiles, class Halo, class LoadB>
__device__ __forceinline__ void multiply_taps(Halo& halo, int first_row, LoadB&& load_b,
                                              float (&sums)[kRows][kTiles][4]) {
  static_assert(kTiles % 2 == 0, "B comes in pairs");
#pragma unroll
  for (int s = 0; s < kShifts; ++s) {
    std::uint32_t a[kRows + 2][4];
#pragma unroll
    for (int y = 0; y < kRows + 2; ++y) halo.load_a(first_row + y, s, a[y]);
#pragma unroll
    for (int r = 0; r < 3; ++r) {
#pragma unroll
      for (int pair = 0; pair < kTiles / 2; ++pair) {
        std::uint32_t b[4];
        load_b(kShifts * r + s, pair, b);
        const std::uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
        for (int y = 0; y < kRows; ++y) {
          mma_m16n8k16<__nv_bfloat16>(sums[y][2 * pair], a[y + r], left);
          mma_m16n8k16<__nv_bfloat16>(sums[y][2 * pair + 1], a[y + r], right);
        }
      }
    }
  }
}

// --- forward: which filter a column of B means

/// Column `row % 8` of the n-tile `row / 8`: chosen so that lane 4 g + m has, of each 32 filters, 8 m ... 8 m + 7 side
/// by side, 16 bytes of dst: n-tile j, columns 2 m + {0, 1} are filters 8 m + 2 j + {0, 1}.
__device__ __forceinline__ int filter_of_row(int row) {
  return row / 32 * 32 + row % 8 / 2 * 8 + row / 8 % 4 * 2 + row % 2;
}

__device__ __forceinline__ int row_of_filter(int filter) {
  return filter / 32 * 32 + filter % 8 / 2 * 8 + filter / 8 % 4 * 2 + filter % 2;
}

/// Pool, bias, activation and stores of one row of windows: the accumulators of two image rows, kGroups x 32 filters.
/// `scale` comes before the bias.
template <int kGroups>
__device__ __forceinline__ void store_pooled(const ConvPoolProblem& p, const float (&upper)[4 * kGroups][4],
                                             const float (&lower)[4 * kGroups][4], float scale, const float* bias,
                                             int n, int row, int column, int first_filter, __nv_bfloat16* dst,
                                             std::uint32_t* argmax) {
  static_assert(kGroups == 1 || kGroups == 2);
  const int member = mma_member(lane_index());
  column += mma_group(lane_index());
  const bool inside = row < p.pooled_h() && column < p.pooled_w();
  const std::int64_t pixel = PooledGradient<__nv_bfloat16>::pixel(p, n, row, column);
  std::uint32_t winners[kGroups];  // of eight filters each
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
    const int filter = first_filter + 32 * group + kOctet * member;
    const bool exists = filter < p.conv.k;  // K is a multiple of 8
    Vec<float, 4> shift[2] = {};
    if (exists && bias != nullptr) {
      shift[0] = load_vector<4>(bias + filter);
      shift[1] = load_vector<4>(bias + filter + 4);
    }
    Vec<__nv_bfloat16, kOctet> results;
    winners[group] = 0;
#pragma unroll
    for (int t = 0; t < kOctet; ++t) {
      const int j = 4 * group + t / 2, e = t % 2;
      const float add = shift[t / 4][t % 4];
      const float pixels[kWindow] = {__fmaf_rn(upper[j][e], scale, add), __fmaf_rn(upper[j][2 + e], scale, add),
                                     __fmaf_rn(lower[j][e], scale, add), __fmaf_rn(lower[j][2 + e], scale, add)};
      const Best best = pool<__nv_bfloat16>(pixels);
      results[t] = from_float<__nv_bfloat16>(apply(p.activation, best.value));
      winners[group] |= exists ? best.winner << (2 * t) : 0u;
    }
    if (inside && exists) store_vector(dst + pixel * p.conv.k + filter, results);
  }
  if (argmax == nullptr) return;
  // Lanes 2 i and 2 i + 1 have the halves of word i of each group: the even lane makes the first group's, the odd one
  // the second's.
  const bool odd = member % 2 != 0;
  const std::uint32_t mine = odd ? winners[kGroups - 1] : winners[0];
  const std::uint32_t other = __shfl_xor_sync(kWholeWarp, odd ? winners[0] : winners[kGroups - 1], 1);
  const std::uint32_t word = odd ? mine << 16 | other : other << 16 | mine;
  const int at = first_filter / ConvPoolProblem::kFiltersPerWord + 2 * (odd ? 1 : 0) + member / 2;
  if (inside && (kGroups == 2 || !odd) && at < p.argmax_words_per_pixel())
    argmax[pixel * p.argmax_words_per_pixel() + at] = word;
}

// --- backward: the pooled gradient, spread

/// Eight neighbouring filters of one pooled pixel: what their winners get, and who they are.
struct PooledOctet {
  Vec<__nv_bfloat16, kOctet> diff;  // 0 where the activation blocks
  std::uint32_t winners;            // two bits each, the lower 16

  /// What place `i` of the window gets.
  __device__ __forceinline__ Vec<__nv_bfloat16, kOctet> at(std::uint32_t i) const {
    Vec<__nv_bfloat16, kOctet> result;
#pragma unroll
    for (int t = 0; t < kOctet; ++t)
      result[t] = (winners >> (2 * t) & 3u) == i ? diff[t] : from_float<__nv_bfloat16>(0.0f);
    return result;
  }
};

/// Where each thread's octet waits, as it came from memory, while the tile before is multiplied: in registers it would
/// displace sums. A thread reads only what it has copied itself, after its own async_wait: no barrier.
template <int kThreads>
struct OctetsOnTheWay {
  alignas(16) __nv_bfloat16 diff[kThreads][kOctet];
  alignas(16) __nv_bfloat16 dst[kThreads][kOctet];
  std::uint32_t argmax[kThreads];

  /// Zeros where the pixel or the filters do not exist. K is a multiple of 8.
  __device__ __forceinline__ void start(const ConvPoolProblem& p, const PooledGradient<__nv_bfloat16>& from, int n,
                                        int row, int column, int filter) {
    const auto thread = threadIdx.x;
    const bool exists = PooledGradient<__nv_bfloat16>::inside(p, row, column) && filter < p.conv.k;
    const Fill fill = exists ? Fill::kCopy : Fill::kZero;
    const std::int64_t pixel = exists ? PooledGradient<__nv_bfloat16>::pixel(p, n, row, column) : 0;
    const std::int64_t first = exists ? pixel * p.conv.k + filter : 0;
    const int word = exists ? filter / ConvPoolProblem::kFiltersPerWord : 0;
    async_copy<16>(diff[thread], from.diff_dst + first, fill);
    if (p.activation != Activation::kNone) async_copy<16>(dst[thread], from.dst + first, fill);
    async_copy<4>(&argmax[thread], from.argmax + pixel * p.argmax_words_per_pixel() + word, fill);
  }

  __device__ __forceinline__ PooledOctet take(const ConvPoolProblem& p, int filter) const {
    const auto thread = threadIdx.x;
    PooledOctet octet = {load_vector<kOctet>(diff[thread]), argmax[thread]};
    if (filter % ConvPoolProblem::kFiltersPerWord != 0) octet.winners >>= 16;
    if (p.activation == Activation::kNone) return octet;
    const Vec<__nv_bfloat16, kOctet> results = load_vector<kOctet>(dst[thread]);
#pragma unroll
    for (int t = 0; t < kOctet; ++t) {
      if (derivative_from_result(p.activation, to_float(results[t])) == 0.0f)
        octet.diff[t] = from_float<__nv_bfloat16>(0.0f);
    }
    return octet;
  }
};

}  // namespace cudacards::conv_pool
