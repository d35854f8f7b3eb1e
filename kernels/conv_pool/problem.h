#pragma once
// Convolution 3 x 3 + bias + activation + 2 x 2 max pool as a value.
//
//   src (N,H,W,C) * weights (K,3,3,C) -> [N,H,W,K], which nobody stores -> dst (N,H/2,W/2,K), argmax
//
// argmax: for each pooled pixel ceil(K / 16) words of 32 bits; filter k has bits 2 (k % 16) and the next of word k /
// 16: the winner's place in its window, 0 1 / 2 3. Bits past K are zero.

#include <cstdint>

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"
#include "kernels/base/host_device.h"
#include "kernels/conv2d/problem.h"

namespace cudacards {

enum class ConvPoolSource : std::uint8_t {
  kAsDst,  // of dst's type
  kU8,     // pixels; the convolution sees pixel * scale
};

struct ConvPoolProblem {
  Conv2dProblem conv;  // 3 x 3, stride 1, one pixel of zeros on every side; an odd last row or column is not pooled
  Activation activation = Activation::kRelu;
  ConvPoolSource source = ConvPoolSource::kAsDst;
  float scale = 1.0f;     // of kU8
  int weight_splits = 0;  // of the pixels in the weights' gradient, for sweeps and tests; 0: the tuning's
  bool operator==(const ConvPoolProblem&) const = default;

  static constexpr int kFiltersPerWord = 16;

  CUDACARDS_HOST_DEVICE int pooled_h() const { return conv.h / 2; }
  CUDACARDS_HOST_DEVICE int pooled_w() const { return conv.w / 2; }
  CUDACARDS_HOST_DEVICE int argmax_words_per_pixel() const { return (conv.k + kFiltersPerWord - 1) / kFiltersPerWord; }
  CUDACARDS_HOST_DEVICE std::int64_t pooled_pixels() const { return std::int64_t{conv.n} * pooled_h() * pooled_w(); }
  CUDACARDS_HOST_DEVICE std::int64_t dst_elements() const { return pooled_pixels() * conv.k; }
  CUDACARDS_HOST_DEVICE std::int64_t argmax_words() const { return pooled_pixels() * argmax_words_per_pixel(); }

  DType source_type(DType type) const { return source == ConvPoolSource::kU8 ? DType::kU8 : type; }
  /// Of the forward pass, and of each of the two backward passes: the pool is not counted.
  std::int64_t flops() const {
    return 2 * std::int64_t{conv.n} * (2 * pooled_h()) * (2 * pooled_w()) * conv.k * 9 * conv.c;
  }
  /// The least that the forward pass must move.
  std::int64_t bytes(DType type) const {
    const auto size = static_cast<std::int64_t>(size_of(type));
    return conv.src_elements() * static_cast<std::int64_t>(size_of(source_type(type))) +
           (dst_elements() + conv.weight_elements()) * size + argmax_words() * 4;
  }
};

/// Convolution 3 x 3, stride 1, "same", as the kernels here take it.
inline ConvPoolProblem conv_pool_problem(int n, int h, int w, int c, int k, Activation activation = Activation::kRelu) {
  ConvPoolProblem problem;
  problem.conv = {.n = n, .h = h, .w = w, .c = c, .k = k, .r = 3, .s = 3, .pad = {1, 1, 1, 1}};
  problem.activation = activation;
  return problem;
}

}  // namespace cudacards
