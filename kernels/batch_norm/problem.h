#pragma once
// Batch normalisation over channels as a value.

#include <cstdint>

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"

namespace cudacards {

/// src, dst (rows, C) with rows = N*H*W: NHWC activations, or a dense layer's (N, C).
struct BatchNormProblem {
  std::int64_t rows = 1;
  int channels = 1;
  float epsilon = 1e-3f;
  float momentum = 0.99f;  // running = momentum * running + (1 - momentum) * batch
  Activation activation = Activation::kNone;
  bool operator==(const BatchNormProblem&) const = default;

  std::int64_t elements() const { return rows * channels; }
  /// Statistics about 4.5 an element (batch_norm_statistics.cu), subtraction, multiply-add and activation.
  std::int64_t training_flops() const { return elements() * 17 / 2; }
  /// src read for the statistics and once more, dst written.
  std::int64_t training_bytes(DType type) const { return 3 * elements() * static_cast<std::int64_t>(size_of(type)); }
  std::int64_t inference_bytes(DType type) const { return 2 * elements() * static_cast<std::int64_t>(size_of(type)); }
  /// src and diff_dst read for the sums and once more, diff_src written.
  std::int64_t backward_bytes(DType type) const { return 5 * elements() * static_cast<std::int64_t>(size_of(type)); }
};

/// weights (K, per_filter) with per_filter = R*S*C/groups: KRSC, or a dense layer's (out, in).
struct FoldBatchNormProblem {
  int filters = 1;
  std::int64_t per_filter = 1;
  float epsilon = 1e-3f;

  std::int64_t elements() const { return filters * per_filter; }
  std::int64_t bytes(DType type) const { return elements() * (4 + static_cast<std::int64_t>(size_of(type))); }
};

}  // namespace cudacards
