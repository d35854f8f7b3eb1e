#pragma once
// dst (N,units) = activation(src (N,in) * weights(units,in)^T + bias).

#include "host/ops/reference/scalar.h"
#include "host/runtime/threads.h"
#include "kernels/base/activation.h"

namespace cudacards::reference {

struct DenseProblem {
  std::int64_t n = 1, in = 1, units = 1;
};

template <class S, class D>
void dense_forward(const DenseProblem& p, const S* src, const Wide<S>* weights, const Wide<S>* bias,
                   Activation activation, D* dst) {
  parallel_ranges(p.units, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      for (std::int64_t n = 0; n < p.n; ++n) {
        const auto sum = dot(src + n * p.in, weights + unit * p.in, p.in) + (bias ? bias[unit] : 0);
        dst[n * p.units + unit] = rounded<D>(apply(activation, sum));
      }
    }
  });
}

template <class S, class D>
void dense_backward_data(const DenseProblem& p, const D* diff_dst, const Wide<S>* weights, GradMode mode, S* diff_src) {
  constexpr std::int64_t kBlock = 32;  // sums that are kept while the weights stream by
  parallel_ranges(p.in, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t first = begin; first < end; first += kBlock) {
      const std::int64_t width = std::min(kBlock, end - first);
      for (std::int64_t n = 0; n < p.n; ++n) {
        Wide<S> sum[kBlock] = {};
        for (std::int64_t unit = 0; unit < p.units; ++unit) {
          const auto d = load(diff_dst[n * p.units + unit]);
          for (std::int64_t i = 0; i < width; ++i) sum[i] += d * weights[unit * p.in + first + i];
        }
        for (std::int64_t i = 0; i < width; ++i) put(mode, diff_src[n * p.in + first + i], sum[i]);
      }
    }
  });
}

template <class S, class D>
void dense_backward_weights(const DenseProblem& p, const S* src, const D* diff_dst, GradMode mode,
                            Wide<S>* diff_weights) {
  parallel_ranges(p.units, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t unit = begin; unit < end; ++unit) {
      Wide<S>* row = diff_weights + unit * p.in;
      for (std::int64_t n = 0; n < p.n; ++n) {
        const auto d = load(diff_dst[n * p.units + unit]);
        const GradMode add = n == 0 ? mode : GradMode::kAccumulate;
        for (std::int64_t i = 0; i < p.in; ++i) put(add, row[i], d * load(src[n * p.in + i]));
      }
    }
  });
}

/// diff_bias (K) = sum over the rows of diff_dst (rows, K). Convolutions use it too, with rows = N*P*Q.
template <class D>
void bias_backward(std::int64_t rows, std::int64_t k, const D* diff_dst, GradMode mode, Wide<D>* diff_bias) {
  parallel_ranges(k, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      Wide<D> sum = 0;
      for (std::int64_t row = 0; row < rows; ++row) sum += load(diff_dst[row * k + i]);
      put(mode, diff_bias[i], sum);
    }
  });
}

}  // namespace cudacards::reference
