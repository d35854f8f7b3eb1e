#pragma once
// Batch normalisation as cuDNN's graphs. cuDNN's own operation is for training only: with the running statistics, which
// are constants, it is arithmetic element by element. gamma, beta and statistics are (C) in fp32 in every precision.

#include <string>

#include "host/ops/tensor.h"
#include "host/ops/vendor/cudnn/graph.h"
#include "kernels/base/activation.h"

namespace cudacards::cudnn {

/// (N,H,W,C) as it is; the rows of other shapes, (N,C) of a dense layer, as pictures of one pixel.
Sizes norm_sizes(const Shape& src);

/// Why cuDNN's engine refuses a batch norm that it would take with other channels; empty where these are not the cause.
std::string channels_reason(const Sizes& src, DType type);

/// With the batch's statistics: kSrc, kGamma, kBeta, kEpsilon, kMean and kRstd (both written), kDst.
Graph norm_training(const Sizes& src, DType type, Activation activation);
/// kSrc, kDiffDst, kGamma, kMean, kRstd, kDiffSrc, kDiffGamma, kDiffBeta.
Graph norm_backward(const Sizes& src, DType type);

/// With the running statistics: kSrc, kGamma, kBeta, kMean, kVariance, kEpsilon, kDst.
Graph norm_inference(const Sizes& src, DType type, Activation activation);
/// Its gradient of the source: kDiffDst, kGamma, kVariance, kEpsilon, kDiffSrc.
Graph norm_inference_backward(const Sizes& src, DType type);

}  // namespace cudacards::cudnn
