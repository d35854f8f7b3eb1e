#pragma once
// The project's problems as cuDNN's graphs.

#include <optional>

#include "host/ops/vendor/cudnn/graph.h"
#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"
#include "kernels/conv2d/problem.h"
#include "kernels/pool/problem.h"

namespace cudacards::cudnn {

cudnnDataType_t type_of(DType type);
/// ReLU or ReLU6.
Relu relu(Activation activation, Id src, Id dst);

/// dst (N,P,Q,K) = activation(src * weights + bias), in one graph: kSrc, kWeights, kBias (where there is one), kDst.
/// The bias is of the same type as the rest: cuDNN's own kernels take no other, and engines that do are compiled for it
/// first.
Graph convolution_forward(const Conv2dProblem& problem, DType type, bool has_bias, Activation activation);
/// diff_src from diff_dst and weights: kDiffSrc, kWeights, kDiffDst.
Graph convolution_backward_data(const Conv2dProblem& problem, DType type);
/// fp32 diff_weights from src and diff_dst of `type`: kWeights, kSrc, kDiffDst.
Graph convolution_backward_weights(const Conv2dProblem& problem, DType type);
/// diff_bias (K) fp32 = the sum of diff_dst over pictures, rows and columns: kDiffDst, kSum.
Graph bias_gradient(const Conv2dProblem& problem, DType type);

/// kSrc, kDst, and in training kIndex: one signed byte an element of dst.
Graph max_pool_forward(const Pool2dProblem& problem, DType type, bool wants_index);
/// kDiffDst, kIndex, kDiffSrc.
Graph max_pool_backward(const Pool2dProblem& problem, DType type);
/// The mean of whole pictures: kSrc, kDst.
Graph global_average_forward(const Pool2dProblem& problem, DType type);
/// kDiffDst, kDiffSrc.
Graph global_average_backward(const Pool2dProblem& problem, DType type);

}  // namespace cudacards::cudnn
