#pragma once
// A softmax over the rows of a matrix as a value.

#include <cstdint>

#include "kernels/base/dtype.h"

namespace cudacards {

/// src, dst (rows, classes), one softmax a row.
struct SoftmaxProblem {
  std::int64_t rows = 1;
  int classes = 1;
  bool operator==(const SoftmaxProblem&) const = default;

  std::int64_t elements() const { return rows * classes; }
  /// Maximum, subtraction, exponential, sum and scaling count as one each.
  std::int64_t flops() const { return 5 * elements(); }
  /// The least that must move forward: src read, dst written. Backward reads one tensor more.
  std::int64_t bytes(DType type) const { return 2 * elements() * static_cast<std::int64_t>(size_of(type)); }
  std::int64_t backward_bytes(DType type) const { return 3 * elements() * static_cast<std::int64_t>(size_of(type)); }
};

}  // namespace cudacards
