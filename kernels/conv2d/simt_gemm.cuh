#pragma once
// A block's tile of a GEMM in fp32 arithmetic: 128 x 64 by 128 threads, 8 x 8 sums a thread. The twin of
// tensor_gemm.cuh for fp32 tensors, and for bf16 where there are no tensor cores.
//
//   tile in shared memory, depth-major:      a[8][128 + 4], b[8][64 + 4]
//   thread (ty, tx), 16 x 8:                 rows 4 ty + {0..3} and 64 more, columns 4 tx + {0..3} and 32 more
//
// A step of the depth costs a thread four 16-byte loads from shared memory (the lanes of a warp share them: five
// wavefronts) for 64 multiply-adds. Two buffers, one barrier a slab; the next slab is in registers while one is
// multiplied.

#include <cstdint>

#include "kernels/conv2d/tensor_gemm.cuh"
#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"

namespace cudacards {

constexpr int kSimtTileM = 128, kSimtTileN = 64, kSimtSlab = 8, kSimtThreads = 128;
constexpr int kSimtChunk = 4;
constexpr int kSimtPad = 4;  // four depths on are 16 banks on: the two halves of a warp that transposes do not meet
static_assert(kSimtSlab == 2 * kSimtChunk && (kSimtChunk * (kSimtTileM + kSimtPad)) % 32 == 16 &&
              (kSimtChunk * (kSimtTileN + kSimtPad)) % 32 == 16);

template <TileRows kTileRows, int kOuter>
struct SimtPlan {
  static constexpr int kRows = kTileRows == TileRows::kOuter ? kOuter : kSimtSlab;
  static constexpr int kChunks = (kTileRows == TileRows::kOuter ? kSimtSlab : kOuter) / kSimtChunk;
  static constexpr int kRowStep = kSimtThreads / kChunks;
  static constexpr int kItems = kRows / kRowStep;
  static_assert(kSimtThreads % kChunks == 0 && kRows % kRowStep == 0, "every thread copies as much");
  __device__ static __forceinline__ int row() { return static_cast<int>(threadIdx.x) / kChunks; }
  __device__ static __forceinline__ int column() { return static_cast<int>(threadIdx.x) % kChunks * kSimtChunk; }
};

template <class T, TileRows kRowsOfA, TileRows kRowsOfB>
struct SimtGemm {
  using PlanA = SimtPlan<kRowsOfA, kSimtTileM>;
  using PlanB = SimtPlan<kRowsOfB, kSimtTileN>;
  struct Stage {
    alignas(16) float a[kSimtSlab][kSimtTileM + kSimtPad];
    alignas(16) float b[kSimtSlab][kSimtTileN + kSimtPad];
  };
  struct Stages {
    Stage stage[2];
  };
  struct Sums {
    float v[8][8];
  };

  template <Copy kCopy, class CursorA, class CursorB, class PerSlab>
  __device__ static __forceinline__ void multiply(Stages& stages, CursorA& a, CursorB& b, int slabs, Sums& sums,
                                                  PerSlab&& per_slab) {
#pragma unroll
    for (int i = 0; i < 8; ++i)
#pragma unroll
      for (int j = 0; j < 8; ++j) sums.v[i][j] = 0;
    if (slabs == 0) return;
    Held<PlanA> held_a;
    Held<PlanB> held_b;
    fetch<kCopy>(held_a, a);
    fetch<kCopy>(held_b, b);
#pragma unroll 1
    for (int slab = 0; slab < slabs; ++slab) {
      Stage& stage = stages.stage[slab % 2];
      put<kRowsOfA, PlanA>(stage.a, held_a);
      put<kRowsOfB, PlanB>(stage.b, held_b);
      __syncthreads();  // the slab is there; who comes here has read the other buffer, which is written next
      if (slab + 1 < slabs) {
        fetch<kCopy>(held_a, a);
        fetch<kCopy>(held_b, b);
      }
      multiply_slab(stage, sums);
      per_slab(stage);
    }
  }

  template <class Store>
  __device__ static __forceinline__ void visit(const Sums& sums, int m0, int n0, const Store& store) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const auto row = store.row(m0 + i / 4 * (kSimtTileM / 2) + 4 * thread_y() + i % 4);
#pragma unroll
      for (int j = 0; j < 8; j += 4) {
        Vec<float, 4> quad;
#pragma unroll
        for (int e = 0; e < 4; ++e) quad[e] = sums.v[i][j + e];
        store.quad(row, n0 + j / 4 * (kSimtTileN / 2) + 4 * thread_x(), quad);
      }
    }
  }

 private:
  template <class Plan>
  struct Held {
    Vec<T, kSimtChunk> chunk[Plan::kItems];
  };
  // A warp is 8 threads wide and 4 high.
  __device__ static __forceinline__ int thread_x() { return static_cast<int>(threadIdx.x) % 8; }
  __device__ static __forceinline__ int thread_y() { return static_cast<int>(threadIdx.x) / 8; }

  template <Copy kCopy, class Plan, class Cursor>
  __device__ static __forceinline__ void fetch(Held<Plan>& held, Cursor& cursor) {
#pragma unroll
    for (int i = 0; i < Plan::kItems; ++i) {
      if constexpr (kCopy == Copy::kChunks) {
        const T* from = cursor.chunk(i);
        if (from) {
          held.chunk[i] = load_vector<kSimtChunk>(from);
        } else {
#pragma unroll
          for (int j = 0; j < kSimtChunk; ++j) held.chunk[i][j] = from_float<T>(0);
        }
      } else {
        held.chunk[i] = cursor.template gather<kSimtChunk>(i);
      }
    }
    cursor.advance(kSimtSlab);
  }

  template <TileRows kTileRows, class Plan, int kWidth>
  __device__ static __forceinline__ void put(float (&tile)[kSimtSlab][kWidth], const Held<Plan>& held) {
#pragma unroll
    for (int i = 0; i < Plan::kItems; ++i) {
      const int row = Plan::row() + i * Plan::kRowStep;
      if constexpr (kTileRows == TileRows::kOuter) {
#pragma unroll
        for (int j = 0; j < kSimtChunk; ++j) tile[Plan::column() + j][row] = to_float(held.chunk[i][j]);
      } else {
        Vec<float, kSimtChunk> values;
#pragma unroll
        for (int j = 0; j < kSimtChunk; ++j) values[j] = to_float(held.chunk[i][j]);
        store_vector(&tile[row][Plan::column()], values);
      }
    }
  }

  __device__ static __forceinline__ void multiply_slab(const Stage& stage, Sums& sums) {
#pragma unroll
    for (int k = 0; k < kSimtSlab; ++k) {
      Vec<float, 4> a[2], b[2];
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        a[h] = load_vector<4>(&stage.a[k][h * (kSimtTileM / 2) + 4 * thread_y()]);
        b[h] = load_vector<4>(&stage.b[k][h * (kSimtTileN / 2) + 4 * thread_x()]);
      }
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j) sums.v[i][j] += a[i / 4][i % 4] * b[j / 4][j % 4];
    }
  }
};

}  // namespace cudacards
