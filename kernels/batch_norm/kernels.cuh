#pragma once
// The steps behind batch_norm.h's functions, which have checked what they are given. For this folder's .cu files.

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/batch_norm/lanes.cuh"
#include "kernels/simt/launch.h"

namespace cudacards {

/// Saved and running statistics from src.
Status batch_norm_statistics(const BatchNormProblem& p, DType type, const BatchNormTrainingArgs& args, Stream stream);

/// dst = activation(gamma * (src - mean) * rstd + beta).
Status batch_norm_normalise(const BatchNormProblem& p, DType type, BatchNormStatistics statistics, const void* src,
                            const NormArgs& norm, void* dst, Stream stream);

/// diff_gamma, diff_beta and diff_src, as far as they are wanted.
Status batch_norm_backward_steps(const BatchNormProblem& p, DType type, const BatchNormBackwardArgs& args,
                                 Stream stream);

/// (2, C), diff_beta and diff_gamma, behind the partial sums in the workspace.
inline float* final_sums(const BatchNormProblem& p, const SlabGeometry& reduce, void* workspace) {
  return static_cast<float*>(workspace) + 2 * std::int64_t{reduce.slabs} * p.channels;
}

inline LaunchConfig slab_grid(const SlabGeometry& g, Stream stream) {
  return {.grid = dim3(static_cast<unsigned>(g.slabs), static_cast<unsigned>(g.groups)),
          .block = dim3(kBatchNormThreads),
          .shared_bytes = 0,
          .stream = stream};
}
inline LaunchConfig finish_grid(const BatchNormProblem& p, Stream stream) {
  const int blocks = (p.channels + kFinishColumns - 1) / kFinishColumns;
  return {
      .grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kFinishThreads), .shared_bytes = 0, .stream = stream};
}

}  // namespace cudacards
