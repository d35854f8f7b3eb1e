#pragma once
// Two-dimensional convolution, groups = 1: forward with everything that an epilogue can absorb, and both gradients.
//
// All pointers are device memory, 16-byte aligned. Activations are of `type` (fp32 or bf16), NHWC; weights KRSC of the
// same type, which for bf16 means a rounded copy of the fp32 masters; bias, diff_weights and diff_bias are fp32.

#include <cstddef>

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"
#include "kernels/base/grad_mode.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/conv2d/problem.h"
#include "kernels/conv2d/tuning.h"

namespace cudacards {

/// dst (N,P,Q,K) = activation(src * weights + bias + residual).
struct Conv2dForwardArgs {
  const void* src = nullptr;       // (N,H,W,C)
  const void* weights = nullptr;   // (K,R,S,C)
  const float* bias = nullptr;     // (K); may be null
  const void* residual = nullptr;  // (N,P,Q,K); may be null, may be dst itself
  void* dst = nullptr;             // (N,P,Q,K)
  Activation activation = Activation::kNone;
};

Verdict conv2d_forward_supports(const Conv2dProblem& problem, DType type, const Conv2dChoice& choice = {});
Status conv2d_forward(const Conv2dProblem& problem, DType type, const Conv2dForwardArgs& args, Stream stream,
                      const Conv2dChoice& choice = {});

/// diff_src (N,H,W,C) = or += diff_dst * weights, taps flipped.
struct Conv2dBackwardDataArgs {
  const void* diff_dst = nullptr;  // (N,P,Q,K)
  const void* weights = nullptr;   // (K,R,S,C)
  void* diff_src = nullptr;        // (N,H,W,C)
  GradMode mode = GradMode::kOverwrite;
};

Verdict conv2d_backward_data_supports(const Conv2dProblem& problem, DType type, const Conv2dChoice& choice = {});
Status conv2d_backward_data(const Conv2dProblem& problem, DType type, const Conv2dBackwardDataArgs& args, Stream stream,
                            const Conv2dChoice& choice = {});

/// diff_weights (K,R,S,C) = or += diff_dst^T * src over all pixels, diff_bias (K) = or += the sum of diff_dst.
struct Conv2dBackwardWeightsArgs {
  const void* src = nullptr;       // (N,H,W,C)
  const void* diff_dst = nullptr;  // (N,P,Q,K)
  float* diff_weights = nullptr;
  float* diff_bias = nullptr;  // not touched where bias_mode is kIgnore
  GradMode mode = GradMode::kOverwrite;
  GradMode bias_mode = GradMode::kOverwrite;
  void* workspace = nullptr;  // conv2d_backward_weights_workspace() bytes
};

Verdict conv2d_backward_weights_supports(const Conv2dProblem& problem, DType type, const Conv2dChoice& choice = {});
std::size_t conv2d_backward_weights_workspace(const Conv2dProblem& problem, DType type,
                                              const Conv2dChoice& choice = {});
Status conv2d_backward_weights(const Conv2dProblem& problem, DType type, const Conv2dBackwardWeightsArgs& args,
                               Stream stream, const Conv2dChoice& choice = {});

/// What can be said of a problem before any kernel is chosen: sizes, groups, strides, type.
Verdict conv2d_is_valid(const Conv2dProblem& problem, DType type);

}  // namespace cudacards
