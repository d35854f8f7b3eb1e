#pragma once
// Softmax over the last dimension, from each row's maximum so that no exponential overflows.

#include <algorithm>
#include <cmath>

#include "host/ops/reference/scalar.h"
#include "host/runtime/threads.h"

namespace cudacards::reference {

/// src, dst (rows, classes); may be the same memory.
template <class S, class D>
void softmax_forward(std::int64_t rows, std::int64_t classes, const S* src, D* dst) {
  parallel_ranges(rows, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t row = begin; row < end; ++row) {
      const S* x = src + row * classes;
      D* y = dst + row * classes;
      auto largest = load(x[0]);
      for (std::int64_t i = 1; i < classes; ++i) largest = std::max(largest, load(x[i]));
      Wide<S> sum = 0;
      for (std::int64_t i = 0; i < classes; ++i) sum += std::exp(load(x[i]) - largest);
      for (std::int64_t i = 0; i < classes; ++i) y[i] = rounded<D>(std::exp(load(x[i]) - largest) / sum);
    }
  });
}

/// diff_src = dst * (diff_dst - sum(diff_dst * dst)).
template <class S, class D>
void softmax_backward(std::int64_t rows, std::int64_t classes, const D* dst, const D* diff_dst, GradMode mode,
                      S* diff_src) {
  parallel_ranges(rows, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t first = row * classes;
      const auto shared = dot(diff_dst + first, dst + first, classes);
      for (std::int64_t i = first; i < first + classes; ++i)
        put(mode, diff_src[i], load(dst[i]) * (load(diff_dst[i]) - shared));
    }
  });
}

}  // namespace cudacards::reference
