#pragma once
// A block's tile of a matrix product in fp32 on the ordinary cores: a register tile a thread, operands in shared
// memory.
//
// Thread (y,x) holds 4 x 4 quads of neighbours, or four of them 64 apart:
//
//   32 x 128, 8 x 32 threads          128 x 128, 16 x 16 threads
//   y0   x0 x1 x2 ... x31             y0   x0 ... x15 | x0 ... x15
//   y1                                ...             |
//   ...   (4 x 4 elements each)       y15             |
//                                     y0              |            (4 x 4 elements each)

#include "kernels/matmul/operands.h"
#include "kernels/matmul/quad.cuh"
#include "kernels/simt/warp.h"

namespace cudacards {

/// (rows, 16 of k) or (16 of k, rows) of fp32 in shared memory, in chunks of 16 bytes. In the first a line of 128 bytes
/// is two rows; lanes that read one chunk of rows 0, 4, 8 ... find it at eight different places of a line.
template <class T, int kRows, int kColumns>
struct WideTile {
  static_assert(sizeof(T) == 4 && kColumns % 16 == 0);
  static constexpr int kChunkElements = 4;

  alignas(16) T elements[kRows * kColumns];

  __device__ __forceinline__ T* chunk(int row, int chunk) {
    if constexpr (kColumns >= 32) {  // a row is whole lines, read along
      return elements + row * kColumns + chunk * kChunkElements;
    } else {
      static_assert(kColumns == 16, "two rows a line");
      const int place = row * (kColumns / kChunkElements) + chunk;
      return elements + (place ^ (row / 4 % 8)) * kChunkElements;
    }
  }
  __device__ __forceinline__ T& at(int row, int column) {
    return chunk(row, column / kChunkElements)[column % kChunkElements];
  }
};

template <int kTileM, int kTileN, int kThreadsM, int kThreadsN, int kStageCount, class Direction>
struct CudaCores {
  using Element = float;
  static constexpr Layout kA = Direction::kA, kB = Direction::kB;
  static constexpr int kM = kTileM, kN = kTileN, kK = 16, kStages = kStageCount;
  static constexpr int kThreads = kThreadsM * kThreadsN;
  static constexpr int kBlocks = kM * kN / kThreads > 16 ? 1 : 2;  // of a multiprocessor, that registers must do for
  static constexpr int kQuadsM = kM / kThreadsM / 4, kQuadsN = kN / kThreadsN / 4;  // of a thread
  static_assert(kQuadsM * 4 * kThreadsM == kM && kQuadsN * 4 * kThreadsN == kN, "whole quads");
  static_assert(kThreadsM % 4 == 0 && kThreadsN % 8 == 0, "a warp is 4 x 8 threads");

  using ATile = WideTile<Element, kA == Layout::kDepthInner ? kM : kK, kA == Layout::kDepthInner ? kK : kM>;
  using BTile = WideTile<Element, kB == Layout::kDepthInner ? kN : kK, kB == Layout::kDepthInner ? kK : kN>;

  float sum[4 * kQuadsM][4 * kQuadsN] = {};
  float row_sum[4 * kQuadsM] = {};

  static __device__ __forceinline__ int thread_y() { return warp_index() / (kThreadsN / 8) * 4 + lane_index() / 8; }
  static __device__ __forceinline__ int thread_x() { return warp_index() % (kThreadsN / 8) * 8 + lane_index() % 8; }
  /// The row of the tile that is the thread's i-th.
  static __device__ __forceinline__ int row_of(int i) { return i / 4 * 4 * kThreadsM + 4 * thread_y() + i % 4; }

  __device__ __forceinline__ void multiply(ATile& a, BTile& b, ATile* results, Activation activation, RowSums sums) {
#pragma unroll 1  // unrolled, loads run ahead: the 8 x 8 tile takes 255 registers
    for (int k = 0; k < kK; k += 4) {
      float a_of[4 * kQuadsM][4], b_of[4 * kQuadsN][4];
      load<kA, kThreadsM>(a, k, thread_y(), a_of);
      load<kB, kThreadsN>(b, k, thread_x(), b_of);
      if constexpr (Direction::kMasked == Masked::kYes) {
        if (results != nullptr) {
          float result[4 * kQuadsM][4];
          load<kA, kThreadsM>(*results, k, thread_y(), result);
#pragma unroll
          for (int i = 0; i < 4 * kQuadsM; ++i) {
#pragma unroll
            for (int step = 0; step < 4; ++step) a_of[i][step] *= derivative_from_result(activation, result[i][step]);
          }
        }
      }
#pragma unroll
      for (int step = 0; step < 4; ++step) {
#pragma unroll
        for (int i = 0; i < 4 * kQuadsM; ++i) {
#pragma unroll
          for (int j = 0; j < 4 * kQuadsN; ++j) sum[i][j] += a_of[i][step] * b_of[j][step];
          if constexpr (Direction::kSums == RowSums::kYes) {
            if (sums == RowSums::kYes) row_sum[i] += a_of[i][step];
          }
        }
      }
    }
  }

  template <class F>
  __device__ __forceinline__ void for_each_quad(F f) const {
#pragma unroll
    for (int i = 0; i < 4 * kQuadsM; ++i) {
#pragma unroll
      for (int quad = 0; quad < kQuadsN; ++quad) {
        const float* four = sum[i] + 4 * quad;
        f(row_of(i), quad * 4 * kThreadsN + 4 * thread_x(), Quad{{four[0], four[1], four[2], four[3]}});
      }
    }
  }

  template <class F>
  __device__ __forceinline__ void for_each_row_sum(F f) const {
    if (thread_x() != 0) return;
#pragma unroll
    for (int i = 0; i < 4 * kQuadsM; ++i) f(row_of(i), row_sum[i]);
  }

 private:
  /// Four steps of k from k on, of the thread's rows (thread `t` of `kAcross`).
  template <Layout kLayout, int kAcross, class TileType, int kCount>
  static __device__ __forceinline__ void load(TileType& tile, int k, int t, float (&to)[kCount][4]) {
#pragma unroll
    for (int first = 0; first < kCount; first += 4) {
      const int row = first * kAcross + 4 * t;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if constexpr (kLayout == Layout::kDepthInner) {
          const Quad four = load_vector<4>(tile.chunk(row + i, k / 4));
#pragma unroll
          for (int step = 0; step < 4; ++step) to[first + i][step] = four[step];
        } else {
          const Quad four = load_vector<4>(tile.chunk(k + i, row / 4));
#pragma unroll
          for (int j = 0; j < 4; ++j) to[first + j][i] = four[j];
        }
      }
    }
  }
};

}  // namespace cudacards
