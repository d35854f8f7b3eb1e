#pragma once
// The gradient that a layer's products are fed with: diff_dst times the activation's derivative, in the type that is
// multiplied. For kernels and libraries that take it as it is.

#include "host/ops/operation.h"
#include "kernels/base/activation.h"
#include "kernels/table.h"

namespace cudacards::cuda {

class FrontGradient {
 public:
  /// `type`: of the products. fp32 behind bf16 products, a model's scores, is rounded.
  FrontGradient(const Problem& problem, Activation activation, DType type);

  /// What of() needs; 0 where diff_dst can be taken as it is.
  std::size_t scratchpad_bytes() const;
  /// In the scratchpad, or diff_dst itself. `dst` is read where there is an activation.
  const void* of(const void* dst, const void* diff_dst, void* scratchpad, Stream stream) const;

 private:
  std::size_t masked_bytes() const;

  const KernelTable& kernels_;
  const TensorDesc dst_;
  const Activation activation_;
  const DType type_;
  const Arch arch_;
};

}  // namespace cudacards::cuda
