#pragma once
// Dense layers and 1 x 1 convolutions (rows = N*P*Q), forward and backward: in fp32, or on tensor cores in bf16 or in
// fp32 rounded to tf32 (DenseProblem::factors). Sums, bias and gradients of parameters are fp32 in all three; in bf16
// the products read a bf16 copy of the weights. Forward in bf16 may store fp32: a model's scores.
//
// All pointers are 16-byte aligned device memory. Any size works; the fast kernels want `in` (and backward `units`) to
// be multiples of 8 in bf16, of 4 in fp32.

#include <cstddef>
#include <cstdint>

#include "kernels/base/grad_mode.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/dense/problem.h"
#include "kernels/optimizer/problem.h"

namespace cudacards {

Verdict dense_supports(const DenseProblem& problem, DType type);
/// src and weights of `type`, dst and residual of `dst_type`: the same, or fp32 behind bf16.
Verdict dense_forward_supports(const DenseProblem& problem, DType type, DType dst_type);

struct DenseForwardArgs {
  const void* src = nullptr;       // (rows,in)
  const void* weights = nullptr;   // (units,in)
  const float* bias = nullptr;     // (units), or null
  const void* residual = nullptr;  // (rows,units), added before the activation; or null
  void* dst = nullptr;             // (rows,units); may be the residual's memory
  void* workspace = nullptr;       // dense_forward_workspace_bytes(), or null where they are 0
};

/// dst = activation(src * weights^T + bias + residual).
std::size_t dense_forward_workspace_bytes(const DenseProblem& problem);
Status dense_forward(const DenseProblem& problem, DType type, DType dst_type, const DenseForwardArgs& args,
                     Stream stream);

struct DenseDgradArgs {
  const void* diff_dst = nullptr;  // (rows,units)
  const void* dst = nullptr;       // (rows,units), not read where there is no activation
  const void* weights = nullptr;   // (units,in)
  GradMode mode = GradMode::kOverwrite;
  void* diff_src = nullptr;  // (rows,in)
};

/// diff_src = (diff_dst * activation'(dst)) * weights. kIgnore starts nothing.
Status dense_dgrad(const DenseProblem& problem, DType type, const DenseDgradArgs& args, Stream stream);

struct DenseWgradArgs {
  const void* src = nullptr;       // (rows,in)
  const void* diff_dst = nullptr;  // (rows,units)
  const void* dst = nullptr;       // (rows,units), not read where there is no activation
  GradMode mode = GradMode::kOverwrite;
  float* diff_weights = nullptr;  // (units,in)
  float* diff_bias = nullptr;     // (units), or null
  void* workspace = nullptr;      // dense_wgrad_workspace_bytes(), or null where they are 0
};

/// diff_weights = (diff_dst * activation'(dst))^T * src, diff_bias = the same summed over rows. kIgnore starts nothing.
std::size_t dense_wgrad_workspace_bytes(const DenseProblem& problem);
Status dense_wgrad(const DenseProblem& problem, DType type, const DenseWgradArgs& args, Stream stream);

/// How weights are updated: Adam or AdamW, as the optimizer would update their segment.
struct DenseUpdate {
  OptimizerOptions options;
  bool decays = false;      // AdamW's weight decay
  float rate_scale = 1.0f;  // of the learning rate
};

struct DenseWgradAdamArgs {
  const void* src = nullptr;       // (rows,in)
  const void* diff_dst = nullptr;  // (rows,units)
  const void* dst = nullptr;       // (rows,units), not read where there is no activation
  float* weights = nullptr;        // (units,in), the fp32 master; read and written, as the moments
  float* moment1 = nullptr;        // (units,in)
  float* moment2 = nullptr;        // (units,in)
  float* average = nullptr;        // (units,in), or null
  void* bf16_weights = nullptr;    // (units,in), written for the next forward; or null
  GradMode bias_mode = GradMode::kOverwrite;
  float* diff_bias = nullptr;             // (units), or null: its update is left to the optimizer
  const OptimizerClock* clock = nullptr;  // in device memory
};

/// dense_wgrad, of which the gradient stays in registers and updates the weights in place. For layers so large that
/// their gradient's way through memory costs, and steps of one batch (no accumulated gradients, no global norm).
Status dense_wgrad_adam(const DenseProblem& problem, DType type, const DenseUpdate& update,
                        const DenseWgradAdamArgs& args, Stream stream);

}  // namespace cudacards
