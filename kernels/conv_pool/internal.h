#pragma once
// The launchers of this folder's kernels, one a path. conv_pool.cu has checked problem and pointers.

#include "kernels/conv_pool/conv_pool.h"

namespace cudacards::conv_pool {

Status forward_tensor(const ConvPoolProblem& problem, const ConvPoolForwardArgs& args, Stream stream);
Status forward_narrow(const ConvPoolProblem& problem, const ConvPoolForwardArgs& args, Stream stream);
Status forward_simt(const ConvPoolProblem& problem, DType type, const ConvPoolForwardArgs& args, Stream stream);

Status backward_data_tensor(const ConvPoolProblem& problem, const ConvPoolDataArgs& args, Stream stream);
Status backward_data_simt(const ConvPoolProblem& problem, DType type, const ConvPoolDataArgs& args, Stream stream);

/// All leave their partial sums in the workspace: for each split (K,3,3,C), then (K) of the bias.
Status backward_weights_tensor(const ConvPoolProblem& problem, int splits, const ConvPoolWeightsArgs& args,
                               Stream stream);
Status backward_weights_narrow(const ConvPoolProblem& problem, int splits, const ConvPoolWeightsArgs& args,
                               Stream stream);
Status backward_weights_simt(const ConvPoolProblem& problem, DType type, int splits, const ConvPoolWeightsArgs& args,
                             Stream stream);
/// Adds the partial sums up, in the order of the splits.
Status reduce_weights(const ConvPoolProblem& problem, int splits, const ConvPoolWeightsArgs& args, Stream stream);

/// Tiles over all pictures, and tiles of filters and channels, of the kernels above.
std::int64_t weights_tensor_tiles(const ConvPoolProblem& problem);
std::int64_t weights_tensor_blocks(const ConvPoolProblem& problem);
std::int64_t weights_narrow_tiles(const ConvPoolProblem& problem);
std::int64_t weights_narrow_blocks(const ConvPoolProblem& problem);
std::int64_t weights_simt_tiles(const ConvPoolProblem& problem);
std::int64_t weights_simt_blocks(const ConvPoolProblem& problem);

}  // namespace cudacards::conv_pool
