#pragma once
// Batch normalisation of src (rows, C), rows = N*H*W, then an optional activation.

#include <cmath>

#include "host/ops/reference/scalar.h"
#include "host/runtime/threads.h"
#include "kernels/base/activation.h"

namespace cudacards::reference {

/// What normalises a channel: x_hat = (x - mean) * inverse_deviation. Always double: a channel of a first layer adds up
/// hundreds of thousands of values.
struct ChannelStatistics {
  double* mean;               // (C)
  double* inverse_deviation;  // (C)
};

/// Mean and biased variance of the batch; `variance` (C) of it is what the running average takes.
template <class S>
void batch_statistics(std::int64_t rows, std::int64_t channels, const S* src, double epsilon, ChannelStatistics out,
                      double* variance) {
  parallel_ranges(channels, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t c = begin; c < end; ++c) out.mean[c] = variance[c] = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t c = begin; c < end; ++c) out.mean[c] += load(src[row * channels + c]);
    }
    for (std::int64_t c = begin; c < end; ++c) out.mean[c] /= static_cast<double>(rows);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t c = begin; c < end; ++c) {
        const double centred = load(src[row * channels + c]) - out.mean[c];
        variance[c] += centred * centred;
      }
    }
    for (std::int64_t c = begin; c < end; ++c) {
      variance[c] /= static_cast<double>(rows);
      out.inverse_deviation[c] = 1.0 / std::sqrt(variance[c] + epsilon);
    }
  });
}

template <class P>
void running_statistics(std::int64_t channels, const P* mean, const P* variance, double epsilon,
                        ChannelStatistics out) {
  for (std::int64_t c = 0; c < channels; ++c) {
    out.mean[c] = mean[c];
    out.inverse_deviation[c] = 1.0 / std::sqrt(variance[c] + epsilon);
  }
}

template <class S, class D>
void batch_norm_forward(std::int64_t rows, std::int64_t channels, const S* src, ChannelStatistics statistics,
                        const Wide<S>* gamma, const Wide<S>* beta, Activation activation, D* dst) {
  parallel_ranges(rows, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const double normal = (load(src[row * channels + c]) - statistics.mean[c]) * statistics.inverse_deviation[c];
        dst[row * channels + c] = rounded<D>(apply(activation, gamma[c] * normal + beta[c]));
      }
    }
  });
}

/// sums of a channel's gradient g = diff_dst * activation'(dst): diff_beta = sum g, diff_gamma = sum g * x_hat. `dst`
/// may be null without an activation.
template <class S, class D>
void batch_norm_backward_sums(std::int64_t rows, std::int64_t channels, const S* src, const D* dst, const D* diff_dst,
                              ChannelStatistics statistics, Activation activation, double* diff_gamma,
                              double* diff_beta) {
  parallel_ranges(channels, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t c = begin; c < end; ++c) diff_gamma[c] = diff_beta[c] = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t c = begin; c < end; ++c) {
        const std::int64_t i = row * channels + c;
        double g = load(diff_dst[i]);
        if (activation != Activation::kNone) g *= derivative_from_result(activation, load(dst[i]));
        diff_beta[c] += g;
        diff_gamma[c] += g * (load(src[i]) - statistics.mean[c]) * statistics.inverse_deviation[c];
      }
    }
  });
}

enum class StatisticsSource { kBatch, kRunning };

/// diff_src = gamma / deviation * (g - mean(g) - x_hat * mean(g * x_hat)); with running statistics, which don't depend
/// on src, only the first term.
template <class S, class D>
void batch_norm_backward_data(std::int64_t rows, std::int64_t channels, const S* src, const D* dst, const D* diff_dst,
                              ChannelStatistics statistics, StatisticsSource source, Activation activation,
                              const Wide<S>* gamma, const double* diff_gamma, const double* diff_beta, GradMode mode,
                              S* diff_src) {
  const double share = source == StatisticsSource::kBatch ? 1.0 / static_cast<double>(rows) : 0.0;
  parallel_ranges(rows, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t i = row * channels + c;
        double g = load(diff_dst[i]);
        if (activation != Activation::kNone) g *= derivative_from_result(activation, load(dst[i]));
        const double normal = (load(src[i]) - statistics.mean[c]) * statistics.inverse_deviation[c];
        const double centred = g - share * (diff_beta[c] + normal * diff_gamma[c]);
        put(mode, diff_src[i], gamma[c] * statistics.inverse_deviation[c] * centred);
      }
    }
  });
}

}  // namespace cudacards::reference
