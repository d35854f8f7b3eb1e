#pragma once
// Four neighbours of a row of dst, what a lane of any tile holds in the end: one 16-byte access in fp32, 8 in bf16.

#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"

namespace cudacards {

using Quad = Vec<float, 4>;

/// Where a quad lies in a matrix of n columns.
struct QuadPlace {
  int row, column;
  std::int64_t offset;  // of its first element
  int count;            // of its elements that exist, 1 ... 4
  bool is_vector;       // all four do, and every row is aligned for one access
};

__device__ __forceinline__ QuadPlace quad_place(int row, int column, int n) {
  return {row, column, std::int64_t{row} * n + column, min(4, n - column), n % 4 == 0};
}

/// The quad at base + offset; zeros where elements don't exist.
template <class T>
__device__ __forceinline__ Quad load_quad(const T* base, std::int64_t offset, const QuadPlace& place) {
  Quad quad;
  if (place.is_vector) {
    const Vec<T, 4> stored = load_vector<4>(base + offset);
#pragma unroll
    for (int i = 0; i < 4; ++i) quad[i] = to_float(stored[i]);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) quad[i] = i < place.count ? to_float(base[offset + i]) : 0.0f;
  }
  return quad;
}

template <class T>
__device__ __forceinline__ void store_quad(T* base, std::int64_t offset, const QuadPlace& place, const Quad& quad) {
  if (place.is_vector) {
    Vec<T, 4> stored;
#pragma unroll
    for (int i = 0; i < 4; ++i) stored[i] = from_float<T>(quad[i]);
    store_vector(base + offset, stored);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i < place.count) base[offset + i] = from_float<T>(quad[i]);
    }
  }
}

}  // namespace cudacards
