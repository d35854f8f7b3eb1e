#pragma once
// The convolution that the notebook's network is made of: 3 x 3, stride 1, "same" zeros around, then a 2 x 2 max pool.
// Of the gradient that comes back through the pool at most one element in four is not zero, and the code in this folder
// touches only those.

#include <cstddef>
#include <cstdint>

#include "kernels/base/verdict.h"

namespace cudacards::cpu {

/// One picture: src (H,W,C) -> convolution (H,W,K) -> dst (H/2, W/2, K).
struct PooledConv {
  int h = 1, w = 1, c = 1, k = 1;

  int pooled_h() const { return h / 2; }
  int pooled_w() const { return w / 2; }
  std::int64_t src_elements() const { return std::int64_t{h} * w * c; }
  std::int64_t dst_elements() const { return std::int64_t{pooled_h()} * pooled_w() * k; }
  std::int64_t weight_elements() const { return std::int64_t{k} * 9 * c; }
};

/// A winner says where in its window the largest element was, in row order: 0 1 / 2 3. kBlocked: no gradient passes,
/// because the activation was at one of its clamps.
constexpr std::uint8_t kBlocked = 4;

constexpr int kLanes = 16;  // floats in a vector

/// Whether this build and these sizes have the sparse gradients below.
Verdict supports_sparse_gradients(const PooledConv& conv);

}  // namespace cudacards::cpu
