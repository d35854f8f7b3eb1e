#pragma once
// The second half of a product whose k is split: partial sums of each slice in a workspace, added up in a fixed order.
//
//   block: 32 quads x 8 threads each; thread t of a quad adds slices t, t + 8, ... and the first adds the eight.
//
// Moves slices * m * n * 4 bytes twice, most of it through the second-level cache.

#include "kernels/matmul/operands.h"
#include "kernels/matmul/quad.cuh"
#include "kernels/simt/shared.h"
#include "kernels/simt/warp.h"

namespace cudacards {

/// Epilogue of the first half: the slice's sums as they are.
template <RowSums kRowSums>
struct PartialEpilogue {
  static constexpr RowSums kSums = kRowSums;
  float* workspace;  // [slice][...], PartialLayout
  PartialLayout layout;

  __device__ __forceinline__ PartialEpilogue ready() const { return *this; }
  __device__ __forceinline__ float* slice() const { return workspace + blockIdx.z * layout.slice; }
  __device__ __forceinline__ void quad(const QuadPlace& place, const Quad& quad) const {
    store_vector(slice() + place.row * layout.row + place.column, quad);  // the padding too: nobody uses it
  }
  __device__ __forceinline__ void row_sum(int row, float sum) const { slice()[layout.sums + row] = sum; }
};

constexpr int kReduceQuads = 32, kReduceThreads = 8;  // of a block; a quad's

/// The sum of a quad over the slices, of which `count` elements are there; the threads of warp 0 have it.
__device__ __forceinline__ Quad sum_of_slices(const float* from, std::int64_t stride, int slices, int count) {
  struct Partial {
    Quad quads[kReduceThreads][kReduceQuads];
  };
  Partial& partial = shared<Partial>();
  const int lane = lane_index(), t = warp_index();
  const QuadPlace place{.row = 0, .column = 0, .offset = 0, .count = count, .is_vector = count == 4};
  Quad sum{{0, 0, 0, 0}};
  for (int slice = t; slice < slices; slice += kReduceThreads) {
    const Quad quad = load_quad(from, slice * stride, place);
#pragma unroll
    for (int i = 0; i < 4; ++i) sum[i] += quad[i];
  }
  store_vector(partial.quads[t][lane].v, sum);
  __syncthreads();  // all eight partial sums of each quad are there
  if (t != 0) return sum;
  for (int other = 1; other < kReduceThreads; ++other) {
    const Quad quad = load_vector<4>(partial.quads[other][lane].v);
#pragma unroll
    for (int i = 0; i < 4; ++i) sum[i] += quad[i];
  }
  return sum;
}

/// The quads of dst, row by row, then the row sums in fours.
template <class Epilogue>
CUDACARDS_HOST_DEVICE constexpr std::int64_t reduce_items(const PartialLayout& layout) {
  return (Epilogue::kSums == RowSums::kYes ? layout.slice : layout.sums) / 4;
}

template <class Epilogue>
__global__ void __launch_bounds__(kReduceQuads* kReduceThreads)
    reduce_kernel(MatmulSize size, PartialLayout layout, int slices, const float* workspace, Epilogue epilogue) {
  const std::int64_t item = std::int64_t{blockIdx.x} * kReduceQuads + lane_index();
  const bool exists = item < reduce_items<Epilogue>(layout);
  const std::int64_t place = item * 4;
  const bool is_quad = place < layout.sums;
  const int row = static_cast<int>(is_quad ? place / layout.row : place - layout.sums);
  const int count = !exists ? 0 : is_quad ? 4 : min(4, size.m - row);
  // Threads past the end stay for the barrier.
  const Quad sum = sum_of_slices(workspace + (exists ? place : 0), layout.slice, slices, count);
  if (warp_index() != 0 || !exists) return;
  const auto ready = epilogue.ready();
  if (is_quad) {
    ready.quad(quad_place(row, static_cast<int>(place % layout.row), size.n), sum);
  } else if constexpr (Epilogue::kSums == RowSums::kYes) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i < count) ready.row_sum(row + i, sum[i]);
    }
  }
}

}  // namespace cudacards
