#pragma once
// Softmax cross-entropy over a batch as a value.

#include <cstdint>

#include "kernels/base/dtype.h"

namespace cudacards {

/// logits (batch, classes), a label a row.
struct SoftmaxLossProblem {
  std::int64_t batch = 1;
  int classes = 1;
  float smoothing = 0;
  bool operator==(const SoftmaxLossProblem&) const = default;

  std::int64_t elements() const { return batch * classes; }
  /// Maximum, subtraction, exponential, two sums, two comparisons, and two for the gradient.
  std::int64_t flops() const { return 9 * elements(); }
  /// The least that must move: logits read, diff_logits written, labels read, three numbers a row written.
  std::int64_t bytes(DType type) const {
    return 2 * elements() * static_cast<std::int64_t>(size_of(type)) + 16 * batch;
  }
};

}  // namespace cudacards
