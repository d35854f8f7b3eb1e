#pragma once
// A dense layer, or a 1 x 1 convolution of rows = N*P*Q pixels, as a value.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"
#include "kernels/base/factors.h"
#include "kernels/matmul/plan.h"

namespace cudacards {

/// dst (rows,units) = activation(src (rows,in) * weights (units,in)^T + bias (units)).
struct DenseProblem {
  int rows = 1, in = 1, units = 1;
  Activation activation = Activation::kNone;
  Factors factors = Factors::kExact;  // of fp32
  Arch arch = {9, 0};                 // whose tuning is asked
  std::optional<MatmulPlan> plan;     // instead of the tuning's: for sweeps, and tests of each tile
  bool operator==(const DenseProblem&) const = default;

  std::int64_t src_elements() const { return std::int64_t{rows} * in; }
  std::int64_t weight_elements() const { return std::int64_t{units} * in; }
  std::int64_t dst_elements() const { return std::int64_t{rows} * units; }

  /// Of any one direction. Multiply-adds count as two; bias and activation are not counted.
  std::int64_t flops() const { return 2 * dst_elements() * in; }
  /// The least that must move forward, and in dgrad: two of the three read, one written.
  std::int64_t bytes(DType type) const {
    return (src_elements() + weight_elements() + dst_elements()) * static_cast<std::int64_t>(size_of(type));
  }
  /// In wgrad, whose result is fp32.
  std::int64_t wgrad_bytes(DType type) const {
    return (src_elements() + dst_elements()) * static_cast<std::int64_t>(size_of(type)) + 4 * weight_elements();
  }
  /// In wgrad with Adam: fp32 weights and two moments read and written, a bf16 copy of the weights written in bf16.
  std::int64_t wgrad_adam_bytes(DType type) const {
    return wgrad_bytes(type) + (type == DType::kBf16 ? 22 : 20) * weight_elements();
  }
};

// What each direction is as a product: the sizes of dst, and the sum.
inline MatmulSize dense_forward_size(const DenseProblem& p) { return {p.rows, p.units, p.in}; }
inline MatmulSize dense_dgrad_size(const DenseProblem& p) { return {p.rows, p.in, p.units}; }
inline MatmulSize dense_wgrad_size(const DenseProblem& p) { return {p.units, p.in, p.rows}; }

inline MatmulPlan dense_plan(const DenseProblem& p, const MatmulSize& size, SplitK split) {
  return p.plan ? *p.plan : plan_matmul(size, matmul_tuning(p.arch), split);
}

}  // namespace cudacards
