#pragma once
// Where a tile's sums go: row(m) finds the row of the output once, quad() writes four neighbouring columns of it. Four
// go in one store where the row length is a multiple of four, one by one where it is not.

#include <cstdint>

#include "kernels/base/activation.h"
#include "kernels/base/grad_mode.h"
#include "kernels/conv2d/view.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"

namespace cudacards {

constexpr int kQuad = 4;
using Quad = Vec<float, kQuad>;

/// Four neighbours of `columns` in all, the first at `from`; what lies past the row's end is 0.
template <class T>
__device__ __forceinline__ Quad load_quad(const T* from, int column, int columns) {
  Quad quad;
  if (columns % kQuad == 0) {
    const Vec<T, kQuad> values = load_vector<kQuad>(from);
#pragma unroll
    for (int i = 0; i < kQuad; ++i) quad[i] = to_float(values[i]);
  } else {
#pragma unroll
    for (int i = 0; i < kQuad; ++i) quad[i] = column + i < columns ? to_float(from[i]) : 0.0f;
  }
  return quad;
}
template <class T>
__device__ __forceinline__ void store_quad(T* to, int column, int columns, const Quad& quad) {
  if (columns % kQuad == 0) {
    Vec<T, kQuad> values;
#pragma unroll
    for (int i = 0; i < kQuad; ++i) values[i] = from_float<T>(quad[i]);
    store_vector(to, values);
  } else {
#pragma unroll
    for (int i = 0; i < kQuad; ++i)
      if (column + i < columns) to[i] = from_float<T>(quad[i]);
  }
}
__device__ __forceinline__ void add_quad(Quad& to, const Quad& quad) {
#pragma unroll
  for (int i = 0; i < kQuad; ++i) to[i] += quad[i];
}

constexpr std::int64_t kNoRow = -1;

/// dst = activation(sum + bias + residual), dst and residual (rows, columns) of T.
template <class T>
struct Epilogue {
  const float* bias;
  const T* residual;
  T* dst;
  Activation activation;
  int rows, columns;

  __device__ __forceinline__ std::int64_t row(int m) const { return m < rows ? std::int64_t{m} * columns : kNoRow; }
  __device__ __forceinline__ void quad(std::int64_t row, int column, Quad sum) const {
    if (row == kNoRow || column >= columns) return;
    if (bias) add_quad(sum, load_quad(bias + column, column, columns));
    if (residual) add_quad(sum, load_quad(residual + row + column, column, columns));
#pragma unroll
    for (int i = 0; i < kQuad; ++i) sum[i] = apply(activation, sum[i]);
    store_quad(dst + row + column, column, columns, sum);
  }
};

/// diff_src (N,H,W,C) = or += sum, at the pixels of one phase.
template <class T>
struct PhaseStore {
  const Phases& all;
  const Phase& phase;
  T* diff_src;
  GradMode mode;

  __device__ __forceinline__ std::int64_t row(int m) const {
    if (m >= phase.view.pixels()) return kNoRow;
    if (all.stride_h == 1 && all.stride_w == 1) return std::int64_t{m} * all.c;
    const Pixel at = phase.view.pixel(m);
    const int h = phase.first_h + all.stride_h * at.row, w = phase.first_w + all.stride_w * at.column;
    return ((std::int64_t{at.picture} * all.h + h) * all.w + w) * all.c;
  }
  __device__ __forceinline__ void quad(std::int64_t row, int column, Quad sum) const {
    if (row == kNoRow || column >= all.c) return;
    if (mode == GradMode::kAccumulate) add_quad(sum, load_quad(diff_src + row + column, column, all.c));
    store_quad(diff_src + row + column, column, all.c, sum);
  }
};

/// One slice's part of the weights' gradient, fp32 (rows, columns).
struct PartialStore {
  float* partial;
  int rows, columns;

  __device__ __forceinline__ std::int64_t row(int m) const { return m < rows ? std::int64_t{m} * columns : kNoRow; }
  __device__ __forceinline__ void quad(std::int64_t row, int column, const Quad& sum) const {
    if (row == kNoRow || column >= columns) return;
    store_quad(partial + row + column, column, columns, sum);
  }
};

}  // namespace cudacards
