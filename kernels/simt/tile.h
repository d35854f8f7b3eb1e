#pragma once
// A tile of 16-bit elements in shared memory from which tensor cores are fed without bank conflicts.
//
// A row is cut into chunks of 16 bytes, what one lane copies and one row of ldmatrix is. Chunk c of row r lies at place
// c ^ swizzle(r) of its row, so that eight rows at the same chunk fall on eight different quarters of the banks:
//
//   64 elements a row, 8 chunks:      32 elements a row, 4 chunks (two rows a 128-byte line):
//   row 0   0 1 2 3 4 5 6 7           rows 0 1   0 1 2 3 | 0 1 2 3
//   row 1   1 0 3 2 5 4 7 6           rows 2 3   1 0 3 2 | 1 0 3 2
//   row 2   2 3 0 1 6 7 4 5           rows 4 5   2 3 0 1 | 2 3 0 1
//
// Fragments are those of mma_m16n8k16: A (16 x 16) in four registers, two neighbouring B (16 x 8 each) in two and two.

#include <cstdint>

#include "kernels/simt/mma.h"
#include "kernels/simt/warp.h"

namespace cudacards {

template <class T, int kRows, int kColumns>
struct Tile {
  static_assert(sizeof(T) == 2, "16-bit elements");
  static_assert(kColumns == 16 || kColumns == 32 || kColumns % 64 == 0, "16, 32 or a multiple of 64 elements a row");
  static constexpr int kChunkElements = 8;
  static constexpr int kChunks = kColumns / kChunkElements;  // of a row
  static constexpr int kSwizzled = kChunks < 8 ? kChunks : 8;
  static constexpr int kRowsPerLine = 8 / kSwizzled;

  alignas(16) T elements[kRows * kColumns];

  /// Where the chunk begins that holds columns 8 chunk ... 8 chunk + 7.
  __device__ __forceinline__ T* chunk(int row, int chunk) {
    return elements + row * kColumns + (chunk ^ (row / kRowsPerLine % kSwizzled)) * kChunkElements;
  }
  __device__ __forceinline__ T& at(int row, int column) {
    return chunk(row, column / kChunkElements)[column % kChunkElements];
  }

  /// A from a tile of (m, k): rows `row` ... row + 15, k = `column` ... column + 15.
  __device__ __forceinline__ void load_a(int row, int column, std::uint32_t (&a)[4]) {
    const int lane = lane_index();
    ldmatrix_x4(a, chunk(row + lane % 16, column / kChunkElements + lane / 16));
  }
  /// A from a tile of (k, m), transposed on the way: m = `column` ... column + 15, k = rows `row` ... row + 15.
  __device__ __forceinline__ void load_a_transposed(int row, int column, std::uint32_t (&a)[4]) {
    const int lane = lane_index();
    ldmatrix_x4_transposed(a, chunk(row + lane % 8 + lane / 16 * 8, column / kChunkElements + lane / 8 % 2));
  }
  /// Two B from a tile of (n, k): n = rows `row` ... row + 15, k = `column` ... column + 15. b[0], b[1] are the first
  /// eight n, b[2], b[3] the others.
  __device__ __forceinline__ void load_b(int row, int column, std::uint32_t (&b)[4]) {
    const int lane = lane_index();
    ldmatrix_x4(b, chunk(row + lane % 8 + lane / 16 * 8, column / kChunkElements + lane / 8 % 2));
  }
  /// Two B from a tile of (k, n), transposed on the way: n = `column` ... column + 15, k = rows `row` ... row + 15.
  __device__ __forceinline__ void load_b_transposed(int row, int column, std::uint32_t (&b)[4]) {
    const int lane = lane_index();
    ldmatrix_x4_transposed(b, chunk(row + lane % 16, column / kChunkElements + lane / 16));
  }
};

}  // namespace cudacards
