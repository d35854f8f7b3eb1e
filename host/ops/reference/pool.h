#pragma once
// Max pool and global average pool.

#include <cmath>
#include <cstdint>

#include "host/ops/reference/scalar.h"
#include "host/runtime/threads.h"
#include "kernels/pool/problem.h"

namespace cudacards::reference {

/// src (N,H,W,C) -> dst (N,P,Q,C). argmax (N,P,Q,C) or null: which element of the window won, counted in row order.
/// The first of equals wins; a NaN wins over numbers, so that it is seen.
template <class S, class D>
void max_pool_forward(const Pool2dProblem& p, const S* src, D* dst, std::int32_t* argmax) {
  parallel_ranges(std::int64_t{p.n} * p.p(), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t row = begin; row < end; ++row) {  // row = n * P + p
      const std::int64_t n = row / p.p(), top = row % p.p() * p.stride_h;
      for (int q = 0; q < p.q(); ++q) {
        for (int c = 0; c < p.c; ++c) {
          Wide<S> best = 0;
          std::int32_t winner = -1;
          for (int i = 0; i < p.window_h; ++i) {
            for (int j = 0; j < p.window_w; ++j) {
              const auto x = load(src[((n * p.h + top + i) * p.w + q * p.stride_w + j) * p.c + c]);
              if (winner < 0 || x > best || (std::isnan(x) && !std::isnan(best))) {
                best = x;
                winner = i * p.window_w + j;
              }
            }
          }
          const std::int64_t at = (row * p.q() + q) * p.c + c;
          dst[at] = rounded<D>(best);
          if (argmax) argmax[at] = winner;
        }
      }
    }
  });
}

/// Each source element gathers from the windows that it won.
template <class S, class D>
void max_pool_backward(const Pool2dProblem& p, const D* diff_dst, const std::int32_t* argmax, GradMode mode,
                       S* diff_src) {
  parallel_ranges(std::int64_t{p.n} * p.h, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t row = begin; row < end; ++row) {  // row = n * H + h
      const std::int64_t n = row / p.h;
      const int h = static_cast<int>(row % p.h);
      for (int w = 0; w < p.w; ++w) {
        for (int c = 0; c < p.c; ++c) {
          Wide<S> sum = 0;
          for (int i = h % p.stride_h; i < p.window_h && i <= h; i += p.stride_h) {
            const int y = (h - i) / p.stride_h;
            if (y >= p.p()) continue;
            for (int j = w % p.stride_w; j < p.window_w && j <= w; j += p.stride_w) {
              const int x = (w - j) / p.stride_w;
              if (x >= p.q()) continue;
              const std::int64_t at = ((n * p.p() + y) * p.q() + x) * p.c + c;
              if (argmax[at] == i * p.window_w + j) sum += load(diff_dst[at]);
            }
          }
          put(mode, diff_src[(row * p.w + w) * p.c + c], sum);
        }
      }
    }
  });
}

/// src (N, pixels, C) -> dst (N,C).
template <class S, class D>
void global_average_pool_forward(std::int64_t n, std::int64_t pixels, std::int64_t c, const S* src, D* dst) {
  parallel_ranges(n, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t picture = begin; picture < end; ++picture) {
      for (std::int64_t channel = 0; channel < c; ++channel) {
        Wide<S> sum = 0;
        for (std::int64_t i = 0; i < pixels; ++i) sum += load(src[(picture * pixels + i) * c + channel]);
        dst[picture * c + channel] = rounded<D>(sum / static_cast<Wide<S>>(pixels));
      }
    }
  });
}

template <class S, class D>
void global_average_pool_backward(std::int64_t n, std::int64_t pixels, std::int64_t c, const D* diff_dst, GradMode mode,
                                  S* diff_src) {
  parallel_ranges(n * pixels, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t channel = 0; channel < c; ++channel) {
        put(mode, diff_src[i * c + channel], load(diff_dst[i / pixels * c + channel]) / static_cast<Wide<S>>(pixels));
      }
    }
  });
}

}  // namespace cudacards::reference
