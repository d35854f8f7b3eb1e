#pragma once
// The second half of a sum that was split over blocks: partial sums lie in memory slice by slice and are added up in an
// order that only their number decides.
//
//   from ->  slice 0 |place 0|place 1| ...     few slices: a thread a place adds them, first to last
//            slice 1 |place 0|place 1| ...     many: a block is 32 places side by side x 8 threads each; thread t of a
//            ...     (stride floats apart)     place adds slices t, t + 8, ..., then thread 0 adds the eight
//
// Always four loads on their way at once. One thread a place would have to wait for hundreds of slices where a filter
// has few weights and the pictures are many; eight would mostly idle where it is the other way round.

#include <cstdint>

#include "kernels/simt/shared.h"
#include "kernels/simt/slice_grid.h"
#include "kernels/simt/vector.h"
#include "kernels/simt/warp.h"

namespace cudacards {

static_assert(kSliceBlock == kWarpSize * kSliceThreads);

/// The place, of all, that this thread works for.
__device__ __forceinline__ std::int64_t slice_place(int slices) {
  const int place = are_many_slices(slices) ? lane_index() : static_cast<int>(threadIdx.x);
  return std::int64_t{blockIdx.x} * places_of_slice_block(slices) + place;
}
/// Whether sum_of_slices() gives this thread its place's sum.
__device__ __forceinline__ bool has_sum_of_slices(int slices) { return !are_many_slices(slices) || warp_index() == 0; }

namespace detail {

/// Slices first, first + step, ... of kWidth neighbours.
template <int kWidth>
__device__ __forceinline__ Vec<float, kWidth> sum_of_every(const float* from, std::int64_t stride, int first, int step,
                                                           int slices, int count) {
  Vec<float, kWidth> sum = {};
  if (count == kWidth) {
#pragma unroll 4
    for (int slice = first; slice < slices; slice += step) {
      const Vec<float, kWidth> more = load_vector<kWidth>(from + slice * stride);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) sum[i] += more[i];
    }
  } else if (count > 0) {  // a ragged end
    for (int slice = first; slice < slices; slice += step) {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) sum[i] += i < count ? from[slice * stride + i] : 0.0f;
    }
  }
  return sum;
}

}  // namespace detail

/// kWidth neighbours summed over the slices, of which `count` are there (0: none, the place is past the end). All
/// threads of the block call it, once.
template <int kWidth>
__device__ __forceinline__ Vec<float, kWidth> sum_of_slices(const float* from, std::int64_t stride, int slices,
                                                            int count) {
  if (!are_many_slices(slices)) return detail::sum_of_every<kWidth>(from, stride, 0, 1, slices, count);
  struct Partial {
    Vec<float, kWidth> of[kSliceThreads][kWarpSize];
  };
  Partial& partial = shared<Partial>();
  const int lane = lane_index(), t = warp_index();
  Vec<float, kWidth> sum = detail::sum_of_every<kWidth>(from, stride, t, kSliceThreads, slices, count);
  store_vector(partial.of[t][lane].v, sum);
  __syncthreads();  // all eight partial sums of each place are there
  if (t != 0) return sum;
#pragma unroll
  for (int other = 1; other < kSliceThreads; ++other) {
    const Vec<float, kWidth> more = load_vector<kWidth>(partial.of[other][lane].v);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sum[i] += more[i];
  }
  return sum;
}

}  // namespace cudacards
