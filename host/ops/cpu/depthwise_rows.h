#pragma once
// A depthwise convolution 3 x 3 row by row, sixteen channels at a time. A window of nine vectors slides along the row:
// a step loads three new ones (six at stride 2), and all nine products of a pixel are taken from registers.

#include "host/ops/cpu/lanes.h"
#include "kernels/conv2d/problem.h"

#if CUDACARDS_AVX512

namespace cudacards::cpu {

/// A row of pixels (W,C), or zeros where the picture has none: then every pixel is the same and `pitch` is 0.
template <class T>
struct PixelRow {
  const T* data = nullptr;
  std::int64_t pitch = 0;  // elements between neighbours

  static PixelRow zeros() {
    alignas(64) static const T none[16] = {};
    return {none, 0};
  }
  Lanes at(std::int64_t column) const { return take<Lanes>(data + column * pitch); }
  /// The same row from a later channel on.
  PixelRow from(std::int64_t channel) const { return {data + (pitch == 0 ? 0 : channel), pitch}; }
};

/// Row h of a picture (H,W,C).
template <class T>
PixelRow<T> row_of(const T* picture, std::int64_t h, std::int64_t height, std::int64_t width, std::int64_t channels) {
  if (h < 0 || h >= height) return PixelRow<T>::zeros();
  return {picture + h * width * channels, channels};
}

/// Nine vectors, of the filter or of the picture beneath it.
struct Window {
  Lanes v[3][3];

  /// (3,3,C) from channel c on.
  static Window of(const float* taps, std::int64_t c, std::int64_t channels) {
    Window w;
#pragma GCC unroll 9
    for (int i = 0; i < 9; ++i) w.v[i / 3][i % 3] = take<Lanes>(taps + i * channels + c);
    return w;
  }
};

/// Calls body(q, window) for each of `outputs` pixels of a row, with the three rows and columns that it is made of.
template <int kStride, class T, class Body>
inline void slide(const PixelRow<T> (&rows)[3], std::int64_t width, int pad_left, std::int64_t outputs, Body body) {
  constexpr int kKept = 3 - kStride;  // columns that the next pixel sees again
  Window window;
  const auto load_column = [&](std::int64_t x, int s) {
    const bool inside = x >= 0 && x < width;
#pragma GCC unroll 3
    for (int r = 0; r < 3; ++r) window.v[r][s] = inside ? rows[r].at(x) : everywhere<Lanes>(0.0f);
  };
#pragma GCC unroll 3
  for (int s = 0; s < kKept; ++s) load_column(s - pad_left, s + kStride);
  for (std::int64_t q = 0; q < outputs; ++q) {
#pragma GCC unroll 3
    for (int s = 0; s < kKept; ++s) {
#pragma GCC unroll 3
      for (int r = 0; r < 3; ++r) window.v[r][s] = window.v[r][s + kStride];
    }
#pragma GCC unroll 3
    for (int s = kKept; s < 3; ++s) load_column(q * kStride - pad_left + s, s);
    body(q, window);
  }
}

inline Lanes product(const Window& a, const Window& b, Lanes sum) {
#pragma GCC unroll 9
  for (int i = 0; i < 9; ++i) sum = multiply_add(a.v[i / 3][i % 3], b.v[i / 3][i % 3], sum);
  return sum;
}

/// dst (Q,C) = activation(src rows * taps + bias); `taps` (3,3,C). Adds to dst where `accumulates`.
template <int kStride, Activation kActivation, class T>
void convolve_row(const PixelRow<T> (&src)[3], std::int64_t width, int pad_left, std::int64_t outputs,
                  std::int64_t channels, const float* taps, const float* bias, bool accumulates, T* dst) {
  for (std::int64_t c = 0; c < channels; c += 16) {
    const PixelRow<T> rows[3] = {src[0].from(c), src[1].from(c), src[2].from(c)};
    const Window filter = Window::of(taps, c, channels);
    const Lanes start = bias ? take<Lanes>(bias + c) : everywhere<Lanes>(0.0f);
    slide<kStride>(rows, width, pad_left, outputs, [&, filter](std::int64_t q, const Window& window) {
      T* result = dst + q * channels + c;
      Lanes sum = activated<kActivation>(product(window, filter, start));
      if (accumulates) sum = sum + take<Lanes>(result);
      put(result, sum);
    });
  }
}

/// sums (10,C) += the row's share of diff_weights (3,3,C), then of diff_bias. diff_dst (Q,C).
template <int kStride, class T>
void add_taps_gradient(const PixelRow<T> (&src)[3], std::int64_t width, int pad_left, std::int64_t outputs,
                       std::int64_t channels, const T* diff_dst, float* sums) {
  for (std::int64_t c = 0; c < channels; c += 16) {
    const PixelRow<T> rows[3] = {src[0].from(c), src[1].from(c), src[2].from(c)};
    Window sum{};
    Lanes bias = everywhere<Lanes>(0.0f);
    slide<kStride>(rows, width, pad_left, outputs, [&](std::int64_t q, const Window& window) {
      const Lanes diff = take<Lanes>(diff_dst + q * channels + c);
#pragma GCC unroll 9
      for (int i = 0; i < 9; ++i) sum.v[i / 3][i % 3] = multiply_add(window.v[i / 3][i % 3], diff, sum.v[i / 3][i % 3]);
      bias = bias + diff;
    });
    for (int i = 0; i < 9; ++i) {
      float* place = sums + i * channels + c;
      put(place, take<Lanes>(place) + sum.v[i / 3][i % 3]);
    }
    put(sums + 9 * channels + c, take<Lanes>(sums + 9 * channels + c) + bias);
  }
}

/// The rows of diff_dst that a row of src was multiplied into at stride 2, and by which row of the filter.
template <class T>
struct Reached {
  PixelRow<T> row;
  int r = 0;
};

/// diff_src (W,C) of a convolution of stride 2: two of three columns of taps for every other pixel, one for the rest.
template <int kRows, class T>
void spread_row(const Reached<T> (&diff)[2], std::int64_t outputs, int pad_left, std::int64_t width,
                std::int64_t channels, const float* taps, bool accumulates, T* diff_src) {
  for (std::int64_t c = 0; c < channels; c += 16) {
    PixelRow<T> rows[kRows];
    Lanes filter[kRows][3];
    for (int i = 0; i < kRows; ++i) {
      rows[i] = diff[i].row.from(c);
      for (int s = 0; s < 3; ++s) filter[i][s] = take<Lanes>(taps + (diff[i].r * 3 + s) * channels + c);
    }
    const auto set = [&](std::int64_t x, Lanes sum) {
      if (x < 0 || x >= width) return;
      T* result = diff_src + x * channels + c;
      if (accumulates) sum = sum + take<Lanes>(result);
      put(result, sum);
    };
    Lanes before[kRows];
    for (auto& v : before) v = everywhere<Lanes>(0.0f);
    for (std::int64_t q = 0; q <= outputs; ++q) {
      Lanes even = everywhere<Lanes>(0.0f), odd = even;
#pragma GCC unroll 2
      for (int i = 0; i < kRows; ++i) {
        const Lanes here = q < outputs ? rows[i].at(q) : everywhere<Lanes>(0.0f);
        even = multiply_add(here, filter[i][0], multiply_add(before[i], filter[i][2], even));
        odd = multiply_add(here, filter[i][1], odd);
        before[i] = here;
      }
      set(2 * q - pad_left, even);
      set(2 * q - pad_left + 1, odd);
    }
  }
}

}  // namespace cudacards::cpu
#endif
