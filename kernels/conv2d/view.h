#pragma once
// A convolution as a gather: pixel m of a grid reads, for each tap (r, s), one pixel of a tensor (N, height, width,
// channels). Forward it is src around each destination; backward it is diff_dst around each source, taps flipped.
//
//   y = origin_h + step_h * row(m) + sign * r         column likewise; outside the tensor the value is 0
//   depth index k = (r * taps_s + s) * channels + c   the order of KRSC weights

#include <cstdint>

#include "kernels/base/host_device.h"
#include "kernels/conv2d/problem.h"

namespace cudacards {

struct Pixel {
  int picture, row, column;
};

struct View {
  int pictures, grid_h, grid_w;            // the pixels m
  int origin_h, origin_w, step_h, step_w;  // where pixel m's tap (0, 0) lies
  int sign;                                // +1: taps go down and right, -1: up and left
  int taps_r, taps_s;
  int height, width, channels;  // of the tensor

  CUDACARDS_HOST_DEVICE int pixels() const { return pictures * grid_h * grid_w; }
  CUDACARDS_HOST_DEVICE int depth() const { return taps_r * taps_s * channels; }
  CUDACARDS_HOST_DEVICE Pixel pixel(int m) const {
    const int rest = m / grid_w;
    return {rest / grid_h, rest % grid_h, m % grid_w};
  }
};

/// A place along the depth.
struct Tap {
  int r, s, c;
  CUDACARDS_HOST_DEVICE void advance(int by, const View& view) {
    c += by;
    if (c < view.channels) return;
    const int taps = c / view.channels;
    c -= taps * view.channels;
    s += taps;
    r += s / view.taps_s;
    s %= view.taps_s;
  }
  CUDACARDS_HOST_DEVICE void next(const View& view) {
    if (++c < view.channels) return;
    c = 0;
    if (++s < view.taps_s) return;
    s = 0;
    ++r;
  }
};
CUDACARDS_HOST_DEVICE inline Tap tap_at(int k, const View& view) {
  Tap tap = {0, 0, 0};
  tap.advance(k, view);
  return tap;
}

inline View forward_view(const Conv2dProblem& p) {
  return {.pictures = p.n,
          .grid_h = p.p(),
          .grid_w = p.q(),
          .origin_h = -p.pad.top,
          .origin_w = -p.pad.left,
          .step_h = p.stride_h,
          .step_w = p.stride_w,
          .sign = 1,
          .taps_r = p.r,
          .taps_s = p.s,
          .height = p.h,
          .width = p.w,
          .channels = p.c};
}

/// With a stride only every stride-th tap hits a given source pixel. Source pixels whose (row + top) % stride is the
/// same are hit by the same taps: each such phase is a convolution of stride 1 with the taps that hit, and no other is
/// looked at. Stride 1 has one phase, stride 2 has four.
struct Phase {
  View view;
  int first_h, first_w;  // grid pixel (i, j) is source pixel (first_h + stride_h i, first_w + stride_w j)
  int first_r, first_s;  // tap (t, u) of the view is tap (first_r + stride_h t, first_s + stride_w u) of the weights
};
constexpr int kMostPhases = 4;
struct Phases {
  Phase phase[kMostPhases];
  int stride_h, stride_w, taps_r, taps_s, h, w, c;  // of the convolution
};

namespace detail {
struct PhaseAxis {
  int first, count, origin, taps;
};
inline PhaseAxis phase_axis(int phase, int size, int pad, int stride, int taps) {
  const int first = ((phase - pad) % stride + stride) % stride;
  return {.first = first,
          .count = first < size ? (size - first - 1) / stride + 1 : 0,
          .origin = (first + pad - phase) / stride,
          .taps = phase < taps ? (taps - phase - 1) / stride + 1 : 0};
}
}  // namespace detail

inline Phases backward_phases(const Conv2dProblem& p) {
  Phases all = {.phase = {},
                .stride_h = p.stride_h,
                .stride_w = p.stride_w,
                .taps_r = p.r,
                .taps_s = p.s,
                .h = p.h,
                .w = p.w,
                .c = p.c};
  for (int a = 0; a < p.stride_h; ++a) {
    for (int b = 0; b < p.stride_w; ++b) {
      const auto rows = detail::phase_axis(a, p.h, p.pad.top, p.stride_h, p.r);
      const auto columns = detail::phase_axis(b, p.w, p.pad.left, p.stride_w, p.s);
      Phase& phase = all.phase[a * p.stride_w + b];
      phase = {.view = {.pictures = p.n,
                        .grid_h = rows.count,
                        .grid_w = columns.count,
                        .origin_h = rows.origin,
                        .origin_w = columns.origin,
                        .step_h = 1,
                        .step_w = 1,
                        .sign = -1,
                        .taps_r = rows.taps,
                        .taps_s = columns.taps,
                        .height = p.p(),
                        .width = p.q(),
                        .channels = p.k},
               .first_h = rows.first,
               .first_w = columns.first,
               .first_r = a,
               .first_s = b};
      if (columns.taps == 0) phase.view.taps_r = 0, phase.view.taps_s = 1;  // a depth of 0 that can be divided by
    }
  }
  return all;
}

}  // namespace cudacards
