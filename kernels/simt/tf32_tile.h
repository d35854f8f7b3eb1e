#pragma once
// A tile of fp32 in shared memory from which tensor cores are fed with tf32, without bank conflicts.
//
// As Tile (tile.h), chunks of 16 bytes, here four elements. With k along the rows ldmatrix, which moves 16 bytes a row
// and does not care what they are, gives each lane its element. With k across them each lane reads its own: four rows
// of eight neighbours, that is of two chunks. One swizzle serves both: eight rows at the same chunk fall on eight
// different quarters of the banks, and four rows at the same two chunks on four different pairs.
//
//   32 elements a row, 8 chunks:      16 elements a row, 4 chunks (two rows a 128-byte line; k along the rows only):
//   row 0   0 1 2 3 4 5 6 7           rows 0 1   0 1 2 3 | 0 1 2 3
//   row 1   2 3 0 1 6 7 4 5           rows 2 3   1 0 3 2 | 1 0 3 2
//   row 4   1 0 3 2 5 4 7 6
//
// Fragments are those of mma_m16n8k8: A (16 x 8) in four registers, two neighbouring B (8 x 8 each) in two and two.

#include <cstdint>

#include "kernels/simt/mma.h"
#include "kernels/simt/warp.h"

namespace cudacards {

template <class T, int kRows, int kColumns>
struct Tf32Tile {
  static_assert(sizeof(T) == 4 && (kColumns == 16 || kColumns % 32 == 0), "fp32, half a line or whole lines a row");
  static constexpr int kChunkElements = 4;

  alignas(16) T elements[kRows * kColumns];

  /// Where the chunk begins that holds columns 4 chunk ... 4 chunk + 3.
  __device__ __forceinline__ T* chunk(int row, int chunk) {
    return elements + row * kColumns + (chunk ^ swizzle(row)) * kChunkElements;
  }
  __device__ __forceinline__ T& at(int row, int column) {
    return chunk(row, column / kChunkElements)[column % kChunkElements];
  }

  /// A from a tile of (m, k): rows `row` ... row + 15, k = `column` ... column + 7.
  __device__ __forceinline__ void load_a(int row, int column, std::uint32_t (&a)[4]) {
    const int lane = lane_index();
    ldmatrix_x4(a, chunk(row + lane % 16, column / kChunkElements + lane / 16));
  }
  /// A from a tile of (k, m): m = `column` ... column + 15, k = rows `row` ... row + 7.
  __device__ __forceinline__ void load_a_transposed(int row, int column, std::uint32_t (&a)[4]) {
#pragma unroll
    for (int reg = 0; reg < 4; ++reg) {
      const MmaPlace place = mma8_a_place(lane_index(), reg);
      a[reg] = __float_as_uint(at(row + place.column, column + place.row));
    }
  }
  /// Two B from a tile of (n, k): n = rows `row` ... row + 15, k = `column` ... column + 7. b[0], b[1] are the first
  /// eight n, b[2], b[3] the others.
  __device__ __forceinline__ void load_b(int row, int column, std::uint32_t (&b)[4]) {
    const int lane = lane_index();
    ldmatrix_x4(b, chunk(row + lane % 8 + lane / 16 * 8, column / kChunkElements + lane / 8 % 2));
  }
  /// Two B from a tile of (k, n): n = `column` ... column + 15, k = rows `row` ... row + 7.
  __device__ __forceinline__ void load_b_transposed(int row, int column, std::uint32_t (&b)[4]) {
#pragma unroll
    for (int reg = 0; reg < 4; ++reg) {
      const MmaPlace place = mma8_b_place(lane_index(), reg % 2);
      b[reg] = __float_as_uint(at(row + place.row, column + reg / 2 * kMmaN + place.column));
    }
  }

 private:
  static __device__ __forceinline__ int swizzle(int row) {
    if constexpr (kColumns == 16) return row / 2 % 4;
    return row % 4 * 2 + row / 4 % 2;
  }
};

}  // namespace cudacards
