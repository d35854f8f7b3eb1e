#pragma once
// Where a thread finds its share of a GEMM operand, slab after slab of the depth. A tile of the operand has rows and
// columns, its columns contiguous in memory in chunks; a thread copies the same chunk of kItems rows, row_step apart,
// of every slab. Three operands are enough for the three directions:
//
//                 A (rows m)                          B (columns n)
//   forward       GatheredRows   src around a pixel   MatrixCursor (filter, depth)
//   backward data GatheredRows   diff_dst             TapRows      (depth, channel): weights with k and c swapped
//   weights       MatrixCursor   (pixel, filter)      GatheredColumns (pixel, depth)
//
// chunk(i) is the address of item i, null where zeros stand for it (base() is an address all the same);
// gather<kElements>(i) reads the same element by element, for channel counts that chunks do not divide.

#include <cstdint>

#include "kernels/conv2d/view.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"

namespace cudacards {

/// Rows are pixels of a view, columns its depth; slabs advance along the depth.
template <class T, int kItems>
class GatheredRows {
 public:
  __device__ __forceinline__ GatheredRows(const View& view, const T* tensor, int first_row, int row_step, int k)
      : view_(view), tensor_(tensor), tap_(tap_at(k, view)) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const int m = first_row + i * row_step;
      const bool inside = m < view.pixels();
      const Pixel at = inside ? view.pixel(m) : Pixel{0, 0, 0};
      picture_[i] = at.picture * view.height;
      y_[i] = inside ? view.origin_h + view.step_h * at.row : kOutside;
      x_[i] = view.origin_w + view.step_w * at.column;
    }
  }
  __device__ __forceinline__ const T* chunk(int i) const { return address(i, tap_); }
  __device__ __forceinline__ const T* base() const { return tensor_; }
  template <int kElements>
  __device__ __forceinline__ Vec<T, kElements> gather(int i) const {
    Vec<T, kElements> values;
    Tap tap = tap_;
#pragma unroll
    for (int j = 0; j < kElements; ++j, tap.next(view_)) {
      const T* from = address(i, tap);
      values[j] = from ? *from : from_float<T>(0);
    }
    return values;
  }
  __device__ __forceinline__ void advance(int slab) { tap_.advance(slab, view_); }

 private:
  static constexpr int kOutside = -(1 << 24);  // no tap leads back from there
  __device__ __forceinline__ const T* address(int i, const Tap& tap) const {
    const int y = y_[i] + view_.sign * tap.r, x = x_[i] + view_.sign * tap.s;
    const bool inside = tap.r < view_.taps_r && static_cast<unsigned>(y) < static_cast<unsigned>(view_.height) &&
                        static_cast<unsigned>(x) < static_cast<unsigned>(view_.width);
    return inside ? tensor_ + (std::int64_t{picture_[i] + y} * view_.width + x) * view_.channels + tap.c : nullptr;
  }

  const View& view_;
  const T* tensor_;
  Tap tap_;
  int picture_[kItems], y_[kItems], x_[kItems];
};

enum class Advance : bool { kRows, kColumns };

/// A dense matrix (rows, columns); slabs advance along its rows or its columns.
template <class T, int kItems, Advance kAdvance>
class MatrixCursor {
 public:
  __device__ __forceinline__ MatrixCursor(const T* matrix, int rows, int columns, int first_row, int row_step,
                                          int column)
      : matrix_(matrix), rows_(rows), columns_(columns), row_(first_row), row_step_(row_step), column_(column) {}
  __device__ __forceinline__ const T* chunk(int i) const { return address(i, 0); }
  __device__ __forceinline__ const T* base() const { return matrix_; }
  template <int kElements>
  __device__ __forceinline__ Vec<T, kElements> gather(int i) const {
    Vec<T, kElements> values;
#pragma unroll
    for (int j = 0; j < kElements; ++j) {
      const T* from = address(i, j);
      values[j] = from ? *from : from_float<T>(0);
    }
    return values;
  }
  __device__ __forceinline__ void advance(int slab) { (kAdvance == Advance::kRows ? row_ : column_) += slab; }

 private:
  __device__ __forceinline__ const T* address(int i, int j) const {
    const int row = row_ + i * row_step_, column = column_ + j;
    return row < rows_ && column < columns_ ? matrix_ + std::int64_t{row} * columns_ + column : nullptr;
  }

  const T* matrix_;
  int rows_, columns_, row_, row_step_, column_;
};

/// Rows are the depth (t, u, k) of a phase, columns the channels c of weights (K,R,S,C); slabs advance along the depth.
template <class T, int kItems>
class TapRows {
 public:
  __device__ __forceinline__ TapRows(const Phases& all, const Phase& phase, const T* weights, int first_row,
                                     int row_step, int column)
      : all_(all), phase_(phase), weights_(weights), column_(column) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) tap_[i] = tap_at(first_row + i * row_step, phase.view);
  }
  __device__ __forceinline__ const T* chunk(int i) const { return address(i, 0); }
  __device__ __forceinline__ const T* base() const { return weights_; }
  template <int kElements>
  __device__ __forceinline__ Vec<T, kElements> gather(int i) const {
    Vec<T, kElements> values;
#pragma unroll
    for (int j = 0; j < kElements; ++j) {
      const T* from = address(i, j);
      values[j] = from ? *from : from_float<T>(0);
    }
    return values;
  }
  __device__ __forceinline__ void advance(int slab) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) tap_[i].advance(slab, phase_.view);
  }

 private:
  __device__ __forceinline__ const T* address(int i, int j) const {
    const Tap& tap = tap_[i];
    if (tap.r >= phase_.view.taps_r || column_ + j >= all_.c) return nullptr;
    const int r = phase_.first_r + all_.stride_h * tap.r, s = phase_.first_s + all_.stride_w * tap.s;
    return weights_ + (std::int64_t{tap.c * all_.taps_r + r} * all_.taps_s + s) * all_.c + column_ + j;
  }

  const Phases& all_;
  const Phase& phase_;
  const T* weights_;
  Tap tap_[kItems];
  int column_;
};

/// Rows are the pixels of a view up to `end`, columns its depth; slabs of kSlab advance along the pixels.
template <class T, int kItems, int kSlab>
class GatheredColumns {
 public:
  __device__ __forceinline__ GatheredColumns(const View& view, const T* tensor, int end, int first_row, int row_step,
                                             int k)
      : view_(view),
        tensor_(tensor),
        end_(end),
        m_(first_row),
        row_step_(row_step),
        tap_(tap_at(k, view)),
        step_(view.pixel(kSlab)) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) at_[i] = view.pixel(first_row + i * row_step);
  }
  __device__ __forceinline__ const T* chunk(int i) const { return address(i, tap_); }
  __device__ __forceinline__ const T* base() const { return tensor_; }
  template <int kElements>
  __device__ __forceinline__ Vec<T, kElements> gather(int i) const {
    Vec<T, kElements> values;
    Tap tap = tap_;
#pragma unroll
    for (int j = 0; j < kElements; ++j, tap.next(view_)) {
      const T* from = address(i, tap);
      values[j] = from ? *from : from_float<T>(0);
    }
    return values;
  }
  __device__ __forceinline__ void advance(int) {
    m_ += kSlab;
#pragma unroll
    for (int i = 0; i < kItems; ++i) {  // kSlab pixels on, digit by digit with carry: no division
      at_[i].column += step_.column;
      at_[i].row += step_.row;
      at_[i].picture += step_.picture;
      if (at_[i].column >= view_.grid_w) at_[i].column -= view_.grid_w, ++at_[i].row;
      if (at_[i].row >= view_.grid_h) at_[i].row -= view_.grid_h, ++at_[i].picture;
    }
  }

 private:
  __device__ __forceinline__ const T* address(int i, const Tap& tap) const {
    const Pixel& at = at_[i];
    const int y = view_.origin_h + view_.step_h * at.row + view_.sign * tap.r;
    const int x = view_.origin_w + view_.step_w * at.column + view_.sign * tap.s;
    const bool inside = m_ + i * row_step_ < end_ && tap.r < view_.taps_r &&
                        static_cast<unsigned>(y) < static_cast<unsigned>(view_.height) &&
                        static_cast<unsigned>(x) < static_cast<unsigned>(view_.width);
    if (!inside) return nullptr;
    return tensor_ + ((std::int64_t{at.picture} * view_.height + y) * view_.width + x) * view_.channels + tap.c;
  }

  const View& view_;
  const T* tensor_;
  int end_, m_, row_step_;
  Tap tap_;
  Pixel step_;
  Pixel at_[kItems];
};

}  // namespace cudacards
