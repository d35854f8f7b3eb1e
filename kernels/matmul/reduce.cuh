#pragma once
// The second half of a product whose k is split: partial sums of each slice in a workspace, added up in a fixed order
// (slices.h), a quad of dst a place.
//
// Moves slices * m * n * 4 bytes twice, most of it through the second-level cache.

#include "kernels/matmul/operands.h"
#include "kernels/matmul/quad.cuh"
#include "kernels/simt/slices.h"

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

/// The quads of dst, row by row, then the row sums in fours.
template <class Epilogue>
CUDACARDS_HOST_DEVICE constexpr std::int64_t reduce_items(const PartialLayout& layout) {
  return (Epilogue::kSums == RowSums::kYes ? layout.slice : layout.sums) / 4;
}

template <class Epilogue>
__global__ void __launch_bounds__(kSliceBlock)
    reduce_kernel(MatmulSize size, PartialLayout layout, int slices, const float* workspace, Epilogue epilogue) {
  const std::int64_t item = slice_place(slices);
  const bool exists = item < reduce_items<Epilogue>(layout);
  const std::int64_t place = item * 4;
  const bool is_quad = place < layout.sums;
  const int row = static_cast<int>(is_quad ? place / layout.row : place - layout.sums);
  const int count = !exists ? 0 : is_quad ? 4 : min(4, size.m - row);
  // Threads past the end stay for the barrier.
  const Quad sum = sum_of_slices<4>(workspace + (exists ? place : 0), layout.slice, slices, count);
  if (!has_sum_of_slices(slices) || !exists) return;
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
