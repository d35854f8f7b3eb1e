#pragma once
// Pooling windows as values: src (N,H,W,C) -> dst (N,P,Q,C), and the mean of whole pictures.

#include <cstdint>

#include "kernels/base/dtype.h"

namespace cudacards {

struct Pool2dProblem {
  int n = 1, h = 1, w = 1, c = 1;
  int window_h = 2, window_w = 2;
  int stride_h = 2, stride_w = 2;  // no padding: a ragged edge is dropped, as Keras' "valid" does
  bool operator==(const Pool2dProblem&) const = default;

  int p() const { return (h - window_h) / stride_h + 1; }
  int q() const { return (w - window_w) / stride_w + 1; }
  std::int64_t src_elements() const { return std::int64_t{n} * h * w * c; }
  std::int64_t dst_elements() const { return std::int64_t{n} * p() * q() * c; }

  /// What a max pool keeps of a winner for the backward pass: its place in the window takes one byte, or four.
  int winner_bytes() const { return std::int64_t{window_h} * window_w > 256 ? 4 : 1; }
  std::int64_t argmax_bytes() const { return dst_elements() * winner_bytes(); }

  /// One comparison or addition for each element of each window but its first.
  std::int64_t flops() const { return dst_elements() * (window_h * window_w - 1); }
  /// The least that must move: src read once, dst written once; a max pool in training writes argmax_bytes() more.
  std::int64_t bytes(DType type) const {
    return (src_elements() + dst_elements()) * static_cast<std::int64_t>(size_of(type));
  }
};

/// src (N, pixels, C) -> dst (N,C).
struct GlobalPoolProblem {
  int n = 1, pixels = 1, c = 1;
  bool operator==(const GlobalPoolProblem&) const = default;

  std::int64_t src_elements() const { return std::int64_t{n} * pixels * c; }
  std::int64_t dst_elements() const { return std::int64_t{n} * c; }
  std::int64_t flops() const { return src_elements(); }
  std::int64_t bytes(DType type) const {
    return (src_elements() + dst_elements()) * static_cast<std::int64_t>(size_of(type));
  }
};

}  // namespace cudacards
