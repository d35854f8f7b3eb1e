#pragma once
// A two-dimensional pooling window as a value: src (N,H,W,C) -> dst (N,P,Q,C).

#include <cstdint>

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
};

}  // namespace cudacards
