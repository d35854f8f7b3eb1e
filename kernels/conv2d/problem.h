#pragma once
// A two-dimensional convolution as a value: every size that a kernel, a test or a benchmark needs, and nothing else.

#include <cstdint>

#include "kernels/base/dtype.h"

namespace cudacards {

/// Rows and columns of zeros around the picture. Keras' "same" with stride 2 on an even size pads (0,1): after, not
/// before.
struct Padding2d {
  int top = 0, left = 0, bottom = 0, right = 0;
  bool operator==(const Padding2d&) const = default;
};

/// src (N,H,W,C) * weights (K,R,S,C/groups) + bias (K) -> dst (N,P,Q,K).
struct Conv2dProblem {
  int n = 1, h = 1, w = 1, c = 1;
  int k = 1, r = 1, s = 1;
  int stride_h = 1, stride_w = 1;
  Padding2d pad;
  int groups = 1;
  bool operator==(const Conv2dProblem&) const = default;

  int p() const { return (h + pad.top + pad.bottom - r) / stride_h + 1; }
  int q() const { return (w + pad.left + pad.right - s) / stride_w + 1; }
  int c_per_group() const { return c / groups; }
  int k_per_group() const { return k / groups; }

  std::int64_t src_elements() const { return std::int64_t{n} * h * w * c; }
  std::int64_t dst_elements() const { return std::int64_t{n} * p() * q() * k; }
  std::int64_t weight_elements() const { return std::int64_t{k} * r * s * c_per_group(); }

  /// Multiply-adds count as two; bias and activation are not counted.
  std::int64_t flops() const { return 2 * dst_elements() * r * s * c_per_group(); }
  /// The least that must move: src and weights read once, dst written once.
  std::int64_t bytes(DType type) const {
    return (src_elements() + dst_elements() + weight_elements()) * static_cast<std::int64_t>(size_of(type));
  }
};

}  // namespace cudacards
