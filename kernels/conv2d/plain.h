#pragma once
// Convolutions of any size, stride, filter and number of groups, forward and both gradients, in fp32: for what no fast
// kernel takes, and to hold the fast ones against.

#include "kernels/base/activation.h"
#include "kernels/base/grad_mode.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/conv2d/problem.h"

namespace cudacards {

/// All arrays are device memory.
struct Conv2dPlainForwardArgs {
  const float* src = nullptr;      // (N,H,W,C)
  const float* weights = nullptr;  // (K,R,S,C/groups)
  const float* bias = nullptr;     // (K); may be null
  float* dst = nullptr;            // (N,P,Q,K)
  Activation activation = Activation::kNone;
};

struct Conv2dPlainDataArgs {
  const float* diff_dst = nullptr;  // (N,P,Q,K)
  const float* weights = nullptr;   // (K,R,S,C/groups)
  float* diff_src = nullptr;        // (N,H,W,C)
  GradMode mode = GradMode::kOverwrite;
};

struct Conv2dPlainWeightsArgs {
  const float* src = nullptr;            // (N,H,W,C)
  const float* diff_dst = nullptr;       // (N,P,Q,K)
  float* diff_weights = nullptr;         // (K,R,S,C/groups)
  float* diff_bias = nullptr;            // (K); may be null
  GradMode mode = GradMode::kOverwrite;  // of both
};

Verdict conv2d_plain_supports(const Conv2dProblem& problem);
/// dst = activation(src * weights + bias).
Status conv2d_plain_forward(const Conv2dProblem& problem, const Conv2dPlainForwardArgs& args, Stream stream);
Status conv2d_plain_backward_data(const Conv2dProblem& problem, const Conv2dPlainDataArgs& args, Stream stream);
Status conv2d_plain_backward_weights(const Conv2dProblem& problem, const Conv2dPlainWeightsArgs& args, Stream stream);

}  // namespace cudacards
