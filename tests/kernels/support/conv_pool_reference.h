#pragma once
// Convolution + bias + pool + activation and their gradients in double, one loop a formula, with the sums of magnitudes
// that bound the error of computing them in fp32.

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/conv_pool/problem.h"
#include "tests/support/compare.h"

namespace cudacards::testing {

/// x as it would be stored; sums that are exact in fp32 stay exact on the way.
template <class T>
double as_stored(double x) {
  return static_cast<double>(static_cast<float>(T(static_cast<float>(x))));
}

struct PooledReference {
  Bounded dst;
  std::vector<double> windows;  // [pooled element][place]: the convolution as stored
  std::vector<std::uint32_t> argmax;
};

/// f(pixel of src or -1 where outside, tap) for the nine taps at (n, y, x).
template <class F>
void for_taps(const Conv2dProblem& p, int n, int y, int x, F&& f) {
  for (int tap = 0; tap < 9; ++tap) {
    const int h = y + tap / 3 - 1, w = x + tap % 3 - 1;
    if (h >= 0 && h < p.h && w >= 0 && w < p.w) f((std::size_t(n) * p.h + h) * p.w + w, std::size_t(tap));
  }
}

template <class T>
PooledReference conv_pool_reference(const ConvPoolProblem& p, const std::vector<double>& src,
                                    const std::vector<double>& weights, const std::vector<double>& bias) {
  PooledReference result;
  const Conv2dProblem& conv = p.conv;
  const auto c = std::size_t(conv.c), k = std::size_t(conv.k);
  const double scale = p.source == ConvPoolSource::kU8 ? p.scale : 1.0;
  result.argmax.assign(static_cast<std::size_t>(p.argmax_words()), 0);
  result.dst.terms = 9.0 * conv.c + 1;
  std::size_t pixel = 0;
  for (int n = 0; n < conv.n; ++n) {
    for (int row = 0; row < p.pooled_h(); ++row) {
      for (int column = 0; column < p.pooled_w(); ++column, ++pixel) {
        for (std::size_t f = 0; f < k; ++f) {
          double best = 0, magnitude = 0;
          std::uint32_t winner = 0;
          for (std::uint32_t place = 0; place < 4; ++place) {
            double sum = 0, absolute = std::abs(bias[f]);
            for_taps(conv, n, 2 * row + int(place / 2), 2 * column + int(place % 2),
                     [&](std::size_t at, std::size_t tap) {
                       for (std::size_t i = 0; i < c; ++i) {
                         const double term = src[at * c + i] * weights[(f * 9 + tap) * c + i];
                         sum += term;
                         absolute += scale * std::abs(term);
                       }
                     });
            const double x = as_stored<T>(sum * scale + bias[f]);
            result.windows.push_back(x);
            magnitude = std::max(magnitude, absolute);
            if (place == 0 || x > best || (std::isnan(x) && !std::isnan(best))) {
              best = x;
              winner = place;
            }
          }
          result.dst.value.push_back(apply(p.activation, best));
          result.dst.magnitude.push_back(magnitude);
          result.argmax[pixel * std::size_t(p.argmax_words_per_pixel()) + f / 16] |= winner << (2 * (f % 16));
        }
      }
    }
  }
  return result;
}

/// The gradient before the pool, (N,H,W,K).
inline std::vector<double> spread_reference(const ConvPoolProblem& p, const std::vector<double>& diff_dst,
                                            const std::vector<double>& dst, const std::vector<std::uint32_t>& argmax) {
  const Conv2dProblem& conv = p.conv;
  const auto k = std::size_t(conv.k);
  std::vector<double> diff(std::size_t(conv.n) * conv.h * conv.w * k);
  std::size_t pixel = 0;
  for (int n = 0; n < conv.n; ++n) {
    for (int row = 0; row < p.pooled_h(); ++row) {
      for (int column = 0; column < p.pooled_w(); ++column, ++pixel) {
        for (std::size_t f = 0; f < k; ++f) {
          const std::uint32_t word = argmax[pixel * std::size_t(p.argmax_words_per_pixel()) + f / 16];
          const int place = int(word >> (2 * (f % 16)) & 3);
          const std::size_t at = (std::size_t(n) * conv.h + 2 * row + place / 2) * conv.w + 2 * column + place % 2;
          if (derivative_from_result(p.activation, dst[pixel * k + f]) != 0) diff[at * k + f] = diff_dst[pixel * k + f];
        }
      }
    }
  }
  return diff;
}

struct ConvGradients {
  Bounded src, weights, bias;
};

/// From the gradient before the pool.
inline ConvGradients conv_gradients_reference(const ConvPoolProblem& p, const std::vector<double>& src,
                                              const std::vector<double>& weights, const std::vector<double>& diff) {
  const Conv2dProblem& conv = p.conv;
  const auto c = std::size_t(conv.c), k = std::size_t(conv.k);
  const double scale = p.source == ConvPoolSource::kU8 ? p.scale : 1.0;
  ConvGradients g;
  for (auto [bounded, size, terms] :
       {std::tuple{&g.src, src.size(), 9 * k}, std::tuple{&g.weights, weights.size(), diff.size() / k},
        std::tuple{&g.bias, k, diff.size() / k}}) {
    bounded->value.assign(size, 0);
    bounded->magnitude.assign(size, 0);
    bounded->terms = double(terms);
  }
  const auto add = [](Bounded& to, std::size_t i, double term) {
    to.value[i] += term;
    to.magnitude[i] += std::abs(term);
  };
  std::size_t pixel = 0;
  for (int n = 0; n < conv.n; ++n) {
    for (int y = 0; y < conv.h; ++y) {
      for (int x = 0; x < conv.w; ++x, ++pixel) {
        for (std::size_t f = 0; f < k; ++f) {
          const double d = diff[pixel * k + f];
          if (d == 0) continue;
          add(g.bias, f, d);
          for_taps(conv, n, y, x, [&](std::size_t at, std::size_t tap) {
            for (std::size_t i = 0; i < c; ++i) {
              add(g.src, at * c + i, d * weights[(f * 9 + tap) * c + i]);
              add(g.weights, (f * 9 + tap) * c + i, d * scale * src[at * c + i]);
            }
          });
        }
      }
    }
  }
  return g;
}

}  // namespace cudacards::testing
