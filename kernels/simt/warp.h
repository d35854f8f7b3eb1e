#pragma once
// Sums and maxima over a warp and over a block, in a fixed order: the same bytes every time.

#include "kernels/simt/cuda.h"

namespace cudacards {

constexpr int kWarpSize = 32;
constexpr unsigned kWholeWarp = 0xffffffffu;

__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x) & (kWarpSize - 1); }
__device__ __forceinline__ int warp_index() { return static_cast<int>(threadIdx.x) / kWarpSize; }

/// The warp's sum in every lane: a butterfly of five steps.
__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int step = kWarpSize / 2; step > 0; step /= 2) x += __shfl_xor_sync(kWholeWarp, x, step);
  return x;
}

__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int step = kWarpSize / 2; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(kWholeWarp, x, step));
  return x;
}

/// The sum over a block of kWarps whole warps, in every thread. `partial` is the block's, in shared memory; the
/// barriers at both ends make it safe to call again at once.
template <int kWarps>
__device__ __forceinline__ float block_sum(float x, float (&partial)[kWarps]) {
  x = warp_sum(x);
  __syncthreads();  // the last call's partial sums have been read
  if (lane_index() == 0) partial[warp_index()] = x;
  __syncthreads();  // all partial sums are there
  float sum = partial[0];
#pragma unroll
  for (int warp = 1; warp < kWarps; ++warp) sum += partial[warp];
  return sum;
}

}  // namespace cudacards
