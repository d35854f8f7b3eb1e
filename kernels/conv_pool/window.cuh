#pragma once
// The 2 x 2 window inside the kernels of this folder: who wins it, how winners are packed, how a pooled gradient is
// spread again.

#include <cstdint>

#include "kernels/base/activation.h"
#include "kernels/conv_pool/problem.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"

namespace cudacards::conv_pool {

constexpr int kTaps = 9;
constexpr int kWindow = 4;  // pixels of a window, in the order 0 1 / 2 3

/// Where one block's tile of pooled pixels lies.
struct TileOrigin {
  int n, row, column;  // of the first pooled pixel
};

/// Tiles of kRows x kColumns pooled pixels that cover `rows` x `columns` of each of N pictures, numbered row by row.
template <int kRows, int kColumns>
struct TileGrid {
  int across, down;
  __host__ __device__ TileGrid(int rows, int columns)
      : across((columns + kColumns - 1) / kColumns), down((rows + kRows - 1) / kRows) {}
  __host__ __device__ int per_picture() const { return across * down; }
  __device__ TileOrigin origin(int tile) const {
    const int in_picture = tile % per_picture();
    return {tile / per_picture(), in_picture / across * kRows, in_picture % across * kColumns};
  }
};

struct Best {
  float value;
  std::uint32_t winner;
};

/// The pool over four results of the convolution, each as it would be stored. The first NaN wins over all numbers.
template <class T>
__device__ __forceinline__ Best pool(const float (&pixels)[kWindow]) {
  Best best = {to_float(from_float<T>(pixels[0])), 0};
#pragma unroll
  for (std::uint32_t i = 1; i < kWindow; ++i) {
    const float later = to_float(from_float<T>(pixels[i]));
    const bool wins = later > best.value || (later != later && best.value == best.value);
    best = wins ? Best{later, i} : best;
  }
  return best;
}

/// Gradients and winners of the pooled pixels, as the backward kernels read them.
template <class T>
struct PooledGradient {
  const T* diff_dst;  // (N,H/2,W/2,K)
  const T* dst;
  const std::uint32_t* argmax;

  __device__ __forceinline__ static std::int64_t pixel(const ConvPoolProblem& p, int n, int row, int column) {
    return (std::int64_t{n} * p.pooled_h() + row) * p.pooled_w() + column;
  }
  __device__ __forceinline__ static bool inside(const ConvPoolProblem& p, int row, int column) {
    return row >= 0 && row < p.pooled_h() && column >= 0 && column < p.pooled_w();
  }

  /// What the winner of filter k gets; `winner` is its place.
  __device__ __forceinline__ float one(const ConvPoolProblem& p, std::int64_t at, int k, std::uint32_t& winner) const {
    const std::int64_t element = at * p.conv.k + k;
    winner = argmax[at * p.argmax_words_per_pixel() + k / ConvPoolProblem::kFiltersPerWord] >>
                 (2 * (k % ConvPoolProblem::kFiltersPerWord)) &
             3u;
    const float diff = to_float(diff_dst[element]);
    if (p.activation == Activation::kNone) return diff;
    return derivative_from_result(p.activation, to_float(dst[element])) != 0.0f ? diff : 0.0f;
  }
};

}  // namespace cudacards::conv_pool
