#pragma once
// Batch normalisation (Ioffe and Szegedy, ICML 2015) with the activation behind it, as Keras defines it: biased
// variance, also in the running average. All arrays are device memory; (rows, C) ones are of the problem's type and
// 16-byte aligned, (C) ones are fp32.

#include <cstddef>

#include "kernels/base/grad_mode.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/batch_norm/problem.h"

namespace cudacards {

Verdict batch_norm_supports(const BatchNormProblem& problem, DType type);
/// Bytes of scratch memory that training and backward need during their call; of either, the larger.
std::size_t batch_norm_workspace(const BatchNormProblem& problem, DType type);

struct BatchNormTrainingArgs {
  const void* src = nullptr;          // (rows, C)
  const float* gamma = nullptr;       // (C)
  const float* beta = nullptr;        // (C)
  void* dst = nullptr;                // (rows, C); may be src's memory where no backward pass follows
  float* saved_mean = nullptr;        // (C), for the backward pass
  float* saved_rstd = nullptr;        // (C), 1 / sqrt(variance + epsilon)
  float* running_mean = nullptr;      // (C), updated; null with running_variance: not wanted
  float* running_variance = nullptr;  // (C)
  void* workspace = nullptr;          // batch_norm_workspace() bytes, 16-byte aligned
};
/// dst = activation(gamma * (src - mean) * rstd + beta) with the batch's mean and variance.
Status batch_norm_training(const BatchNormProblem& problem, DType type, const BatchNormTrainingArgs& args,
                           Stream stream);

struct BatchNormInferenceArgs {
  const void* src = nullptr;        // (rows, C)
  const float* gamma = nullptr;     // (C)
  const float* beta = nullptr;      // (C)
  const float* mean = nullptr;      // (C), running
  const float* variance = nullptr;  // (C), running
  void* dst = nullptr;              // (rows, C); may be src's memory
};
/// The same with the running statistics: inference, and the forward pass of a frozen layer.
Status batch_norm_inference(const BatchNormProblem& problem, DType type, const BatchNormInferenceArgs& args,
                            Stream stream);

/// Whose statistics the forward pass used.
enum class BatchNormStatistics : std::uint8_t {
  kBatch,    // mean and spread are what batch_norm_training() saved: mean and rstd
  kRunning,  // mean and spread are the running mean and variance: constants, as batch_norm_inference() takes them
};

/// The activation's mask is computed again from src, to the bit what forward found, so that dst is not read.
struct BatchNormBackwardArgs {
  const void* src = nullptr;       // (rows, C)
  const void* diff_dst = nullptr;  // (rows, C)
  const float* gamma = nullptr;    // (C)
  const float* beta = nullptr;     // (C)
  const float* mean = nullptr;     // (C)
  const float* spread = nullptr;   // (C)
  BatchNormStatistics statistics = BatchNormStatistics::kBatch;
  void* diff_src = nullptr;     // (rows, C); may be diff_dst's memory where it is overwritten
  float* diff_gamma = nullptr;  // (C)
  float* diff_beta = nullptr;   // (C)
  GradMode diff_src_mode = GradMode::kOverwrite;
  GradMode diff_parameters_mode = GradMode::kOverwrite;
  void* workspace = nullptr;  // batch_norm_workspace() bytes, 16-byte aligned
};
/// g = diff_dst * activation'(dst); diff_beta = sum g; diff_gamma = sum g * x_hat, x_hat = (src - mean) * rstd;
/// diff_src = gamma * rstd * (g - (diff_beta + x_hat * diff_gamma) / rows), with running statistics gamma * rstd * g.
Status batch_norm_backward(const BatchNormProblem& problem, DType type, const BatchNormBackwardArgs& args,
                           Stream stream);

struct BatchNormAverageArgs {
  const float* mean = nullptr;        // (C), the batch's
  const float* rstd = nullptr;        // (C), 1 / sqrt(variance + epsilon) of the batch
  float* running_mean = nullptr;      // (C), updated
  float* running_variance = nullptr;  // (C), updated
};
/// The running statistics' part of batch_norm_training(), for mean and rstd that somebody else computed. The variance
/// is 1 / rstd^2 - epsilon and never negative: its error is some roundings of variance + epsilon, which is what it is
/// always used in.
Status batch_norm_average(const BatchNormProblem& problem, const BatchNormAverageArgs& args, Stream stream);

struct FoldBatchNormArgs {
  const float* weights = nullptr;   // (K, per_filter), fp32 master weights
  const float* bias = nullptr;      // (K), the convolution's own; null: none
  const float* gamma = nullptr;     // (K)
  const float* beta = nullptr;      // (K)
  const float* mean = nullptr;      // (K), running
  const float* variance = nullptr;  // (K), running
  void* folded_weights = nullptr;   // (K, per_filter) of `type`; may be weights' memory in fp32
  float* folded_bias = nullptr;     // (K); may be bias's memory
};
Verdict fold_batch_norm_supports(const FoldBatchNormProblem& problem, DType type);
/// A convolution and the batch norm behind it as one convolution: weights * scale, (bias - mean) * scale + beta with
/// scale = gamma / sqrt(variance + epsilon).
Status fold_batch_norm(const FoldBatchNormProblem& problem, DType type, const FoldBatchNormArgs& args, Stream stream);

}  // namespace cudacards
