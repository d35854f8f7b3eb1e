#pragma once
// Operations that look at one element at a time, as values.

#include <cstdint>

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"

namespace cudacards {

struct ActivationProblem {
  std::int64_t elements = 0;
  Activation activation = Activation::kRelu;

  /// Forward: src read, dst written. Backward reads dst and diff_dst and writes diff_src: half as many again.
  std::int64_t bytes(DType type) const { return 2 * elements * static_cast<std::int64_t>(size_of(type)); }
};

struct AddProblem {
  std::int64_t elements = 0;

  std::int64_t flops() const { return elements; }
  std::int64_t bytes(DType type) const { return 3 * elements * static_cast<std::int64_t>(size_of(type)); }
};

}  // namespace cudacards
