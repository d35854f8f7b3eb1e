#pragma once
// Direct convolution: src (N,H,W,C), weights (K,R,S,C/groups), dst (N,P,Q,K).

#include <algorithm>

#include "host/ops/reference/scalar.h"
#include "host/runtime/threads.h"
#include "kernels/base/activation.h"
#include "kernels/conv2d/problem.h"

namespace cudacards::reference {

template <class S, class D>
void conv2d_forward(const Conv2dProblem& p, const S* src, const Wide<S>* weights, const Wide<S>* bias,
                    Activation activation, D* dst) {
  parallel_ranges(std::int64_t{p.n} * p.p(), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t row = begin; row < end; ++row) {  // row = n * P + p
      const std::int64_t n = row / p.p();
      const int top = static_cast<int>(row % p.p()) * p.stride_h - p.pad.top;
      for (int q = 0; q < p.q(); ++q) {
        const int left = q * p.stride_w - p.pad.left;
        for (int k = 0; k < p.k; ++k) {
          const int first_channel = k / p.k_per_group() * p.c_per_group();
          Wide<S> sum = 0;
          for (int r = std::max(0, -top); r < std::min(p.r, p.h - top); ++r) {
            for (int s = std::max(0, -left); s < std::min(p.s, p.w - left); ++s) {
              sum += dot(src + ((n * p.h + top + r) * p.w + left + s) * p.c + first_channel,
                         weights + ((std::int64_t{k} * p.r + r) * p.s + s) * p.c_per_group(), p.c_per_group());
            }
          }
          if (bias) sum += bias[k];
          dst[(row * p.q() + q) * p.k + k] = rounded<D>(apply(activation, sum));
        }
      }
    }
  });
}

/// Each source element gathers from the destinations that read it.
template <class S, class D>
void conv2d_backward_data(const Conv2dProblem& p, const D* diff_dst, const Wide<S>* weights, GradMode mode,
                          S* diff_src) {
  constexpr int kBlock = 16;  // channels whose sums are kept at once
  parallel_ranges(std::int64_t{p.n} * p.h, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t row = begin; row < end; ++row) {  // row = n * H + h
      const std::int64_t n = row / p.h;
      const int h = static_cast<int>(row % p.h) + p.pad.top;
      for (int w = p.pad.left; w < p.w + p.pad.left; ++w) {
        for (int group = 0; group < p.groups; ++group) {
          for (int first = 0; first < p.c_per_group(); first += kBlock) {
            const int width = std::min(kBlock, p.c_per_group() - first);
            Wide<S> sum[kBlock] = {};
            for (int r = h % p.stride_h; r < p.r && r <= h; r += p.stride_h) {
              const int y = (h - r) / p.stride_h;
              if (y >= p.p()) continue;
              for (int s = w % p.stride_w; s < p.s && s <= w; s += p.stride_w) {
                const int x = (w - s) / p.stride_w;
                if (x >= p.q()) continue;
                const D* diff = diff_dst + ((n * p.p() + y) * p.q() + x) * p.k;
                for (int k = group * p.k_per_group(); k < (group + 1) * p.k_per_group(); ++k) {
                  const auto d = load(diff[k]);
                  const auto* tap = weights + ((std::int64_t{k} * p.r + r) * p.s + s) * p.c_per_group() + first;
                  for (int i = 0; i < width; ++i) sum[i] += d * tap[i];
                }
              }
            }
            S* out = diff_src + (row * p.w + w - p.pad.left) * p.c + group * p.c_per_group() + first;
            for (int i = 0; i < width; ++i) put(mode, out[i], sum[i]);
          }
        }
      }
    }
  });
}

template <class S, class D>
void conv2d_backward_weights(const Conv2dProblem& p, const S* src, const D* diff_dst, GradMode mode,
                             Wide<S>* diff_weights) {
  const int channels = p.c_per_group();
  parallel_ranges(p.k, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t first_channel = k / p.k_per_group() * channels;
      for (int r = 0; r < p.r; ++r) {
        for (int s = 0; s < p.s; ++s) {
          Wide<S>* tap = diff_weights + ((k * p.r + r) * p.s + s) * channels;
          if (mode == GradMode::kOverwrite) std::fill_n(tap, channels, Wide<S>(0));
          for (std::int64_t row = 0; row < std::int64_t{p.n} * p.p(); ++row) {  // row = n * P + p
            const int h = static_cast<int>(row % p.p()) * p.stride_h - p.pad.top + r;
            if (h < 0 || h >= p.h) continue;
            for (int q = 0; q < p.q(); ++q) {
              const int w = q * p.stride_w - p.pad.left + s;
              if (w < 0 || w >= p.w) continue;
              const auto d = load(diff_dst[(row * p.q() + q) * p.k + k]);
              const S* pixel = src + ((row / p.p() * p.h + h) * p.w + w) * p.c + first_channel;
              for (int c = 0; c < channels; ++c) tap[c] += d * load(pixel[c]);
            }
          }
        }
      }
    }
  });
}

}  // namespace cudacards::reference
