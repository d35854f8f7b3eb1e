#pragma once
// Depthwise convolution of NHWC pictures, forward and backward: one 3x3 or 5x5 filter a channel, stride 1 or 2, any
// padding. A Conv2dProblem with groups == C == K. fp32 and bf16 storage, fp32 arithmetic in a fixed order.

#include <cstddef>

#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"
#include "kernels/base/grad_mode.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/conv2d/problem.h"
#include "kernels/depthwise/tuning.h"

namespace cudacards {

/// What all three kernels can do.
Verdict depthwise_supports(const Conv2dProblem& problem, DType type);

struct DepthwiseForwardArgs {
  const void* src = nullptr;       // (N,H,W,C), 16-byte aligned
  const float* weights = nullptr;  // (K,R,S,1), fp32 whatever the type: they are read once a block
  const float* scale = nullptr;    // (K), of a folded batch norm; null: 1
  const float* shift = nullptr;    // (K), of a folded batch norm, or the bias; null: 0
  Activation activation = Activation::kNone;
  void* dst = nullptr;  // (N,P,Q,K), 16-byte aligned
};

/// dst = activation(scale * (src * weights) + shift). What is outside of src counts as 0.
Status depthwise_forward(const Conv2dProblem& problem, DType type, const DepthwiseForwardArgs& args, Stream stream,
                         const DepthwiseTuning& tuning = kDefaultDepthwiseTuning);

struct DepthwiseBackwardDataArgs {
  const void* diff_dst = nullptr;  // (N,P,Q,K), 16-byte aligned, behind scale and activation
  const float* weights = nullptr;  // (K,R,S,1)
  void* diff_src = nullptr;        // (N,H,W,C), 16-byte aligned
  GradMode diff_src_mode = GradMode::kOverwrite;
};

Status depthwise_backward_data(const Conv2dProblem& problem, DType type, const DepthwiseBackwardDataArgs& args,
                               Stream stream, const DepthwiseTuning& tuning = kDefaultDepthwiseTuning);

struct DepthwiseBackwardWeightsArgs {
  const void* src = nullptr;             // (N,H,W,C), 16-byte aligned
  const void* diff_dst = nullptr;        // (N,P,Q,K), 16-byte aligned
  float* diff_weights = nullptr;         // (K,R,S,1)
  float* diff_bias = nullptr;            // (K), the sum of diff_dst; may be null
  GradMode mode = GradMode::kOverwrite;  // of both
  float* workspace = nullptr;            // partial sums: as many bytes as below
};

std::size_t depthwise_backward_weights_workspace(const Conv2dProblem& problem, DType type,
                                                 const DepthwiseTuning& tuning = kDefaultDepthwiseTuning);
Status depthwise_backward_weights(const Conv2dProblem& problem, DType type, const DepthwiseBackwardWeightsArgs& args,
                                  Stream stream, const DepthwiseTuning& tuning = kDefaultDepthwiseTuning);

}  // namespace cudacards
