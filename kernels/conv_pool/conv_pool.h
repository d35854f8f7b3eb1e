#pragma once
// Convolution 3 x 3 + bias + activation + 2 x 2 max pool in one kernel, and its gradients straight from the pooled
// ones.
//
// What an unfused pipeline would compute: the convolution's result is rounded to the stored type after the bias, the
// first of equals (or the first NaN) in the order 0 1 / 2 3 wins, and the activation, which is monotone, comes after
// the pool. Where the activation blocks the gradient is told by dst (derivative_from_result), not by argmax.

#include <cstddef>
#include <cstdint>

#include "kernels/base/dtype.h"
#include "kernels/base/grad_mode.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/conv_pool/problem.h"
#include "kernels/conv_pool/tuning.h"

namespace cudacards {

/// Which kernel a problem gets.
enum class ConvPoolPath : std::uint8_t {
  kTensorCores,  // bf16, C a multiple of 16 forward and of 8 backward, K a multiple of 8
  kNarrow,       // bf16 on tensor cores for C <= 4, from bf16 or uint8, K a multiple of 8
  kSimt,         // everything else: fp32, odd channel counts
};

/// All pointers are device memory, 16-byte aligned. "T" is the type given to the function: fp32 or bf16.
struct ConvPoolForwardArgs {
  const void* src = nullptr;        // (N,H,W,C), T or uint8
  const void* weights = nullptr;    // (K,3,3,C), T: in bf16 a copy of the fp32 master weights
  const float* bias = nullptr;      // (K), may be null
  void* dst = nullptr;              // (N,H/2,W/2,K), T
  std::uint32_t* argmax = nullptr;  // argmax_words(); null where no backward pass follows
};

struct ConvPoolDataArgs {
  const void* diff_dst = nullptr;         // as dst
  const void* dst = nullptr;              // not read where the activation is none
  const std::uint32_t* argmax = nullptr;  // of the forward pass
  const void* weights = nullptr;          // (K,3,3,C), T
  GradMode mode = GradMode::kOverwrite;
  void* diff_src = nullptr;  // (N,H,W,C), T
};

struct ConvPoolWeightsArgs {
  const void* src = nullptr;
  const void* diff_dst = nullptr;
  const void* dst = nullptr;
  const std::uint32_t* argmax = nullptr;
  GradMode mode = GradMode::kOverwrite;
  float* diff_weights = nullptr;  // (K,3,3,C)
  float* diff_bias = nullptr;     // (K), may be null
  float* workspace = nullptr;     // conv_pool_workspace_bytes()
};

Verdict conv_pool_supports(const ConvPoolProblem& problem, DType type);
ConvPoolPath conv_pool_forward_path(const ConvPoolProblem& problem, DType type);
Status conv_pool_forward(const ConvPoolProblem& problem, DType type, const ConvPoolForwardArgs& args, Stream stream);

/// Not of uint8 pictures: nobody needs their gradient.
Verdict conv_pool_backward_data_supports(const ConvPoolProblem& problem, DType type);
ConvPoolPath conv_pool_backward_data_path(const ConvPoolProblem& problem, DType type);
Status conv_pool_backward_data(const ConvPoolProblem& problem, DType type, const ConvPoolDataArgs& args, Stream stream);

Verdict conv_pool_backward_weights_supports(const ConvPoolProblem& problem, DType type);
ConvPoolPath conv_pool_backward_weights_path(const ConvPoolProblem& problem, DType type);
/// Into how many partial sums the pixels are split: the problem's weight_splits, or what the tuning says.
int conv_pool_weight_splits(const ConvPoolProblem& problem, DType type, const ConvPoolTuning& tuning = kConvPoolTuning);
/// For the partial sums of the splits. The same on every machine, and so are the sums.
std::size_t conv_pool_workspace_bytes(const ConvPoolProblem& problem, DType type);
Status conv_pool_backward_weights(const ConvPoolProblem& problem, DType type, const ConvPoolWeightsArgs& args,
                                  Stream stream);

}  // namespace cudacards
