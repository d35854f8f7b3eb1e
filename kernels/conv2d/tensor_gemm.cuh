#pragma once
// A block's tile of a GEMM on tensor cores: bf16 operands gathered by cursors (cursors.cuh), fp32 sums.
//
//   one stage in shared memory: kTileM x 32 of A, kTileN x 32 of B; three stages go round:
//
//   slab     0    1    2    3    4          async copy | copy | copy ...
//   stage   [0]  [1]  [2]  [0]  [1]         multiply        | 0   | 1 ...
//
// Each warp owns kWarpM x kWarpN of the result in its accumulators. One barrier a slab.

#include <cstdint>
#include <type_traits>

#include "kernels/simt/async_copy.h"
#include "kernels/simt/tile.h"
#include "kernels/simt/vector.h"

namespace cudacards {

constexpr int kTensorSlab = 32;   // of the depth, a stage
constexpr int kTensorStages = 3;  // two on their way while one is multiplied
constexpr int kChunk = 8;         // bf16 elements of 16 bytes

/// How elements come: 16 bytes by an asynchronous copy, or one by one.
enum class Copy : bool { kChunks, kElements };
/// What the rows of an operand's tile in shared memory are: m or n of the GEMM, or its depth.
enum class TileRows : bool { kOuter, kDepth };

template <int kTileM_, int kTileN_, int kWarpM_, int kWarpN_>
struct TensorShape {
  static constexpr int kTileM = kTileM_, kTileN = kTileN_, kWarpM = kWarpM_, kWarpN = kWarpN_;
  static constexpr int kWarpsN = kTileN / kWarpN;
  static constexpr int kThreads = kTileM / kWarpM * kWarpsN * kWarpSize;
  static constexpr int kBlocksM = kWarpM / kMmaM, kBlocksN = kWarpN / kMmaN;  // of one warp
  static_assert(kWarpM % kMmaM == 0 && kWarpN % (2 * kMmaN) == 0, "B fragments come in pairs");
};
using WideShape = TensorShape<128, 128, 64, 32>;
using MediumShape = TensorShape<128, 64, 64, 32>;
using SmallShape = TensorShape<64, 32, 32, 16>;

template <TileRows kTileRows, int kOuter>
using OperandTile = std::conditional_t<kTileRows == TileRows::kOuter, Tile<__nv_bfloat16, kOuter, kTensorSlab>,
                                       Tile<__nv_bfloat16, kTensorSlab, kOuter>>;

/// How the threads of a block share a tile: thread t copies chunk t % kChunks of rows t / kChunks + i * kRowStep.
template <TileRows kTileRows, int kOuter, int kThreads>
struct CopyPlan {
  static constexpr int kRows = kTileRows == TileRows::kOuter ? kOuter : kTensorSlab;
  static constexpr int kChunks = (kTileRows == TileRows::kOuter ? kTensorSlab : kOuter) / kChunk;
  static constexpr int kRowStep = kThreads / kChunks;
  static constexpr int kItems = kRows / kRowStep;
  static_assert(kThreads % kChunks == 0 && kRows % kRowStep == 0, "every thread copies as much");
  __device__ static __forceinline__ int row() { return static_cast<int>(threadIdx.x) / kChunks; }
  __device__ static __forceinline__ int chunk() { return static_cast<int>(threadIdx.x) % kChunks; }
  __device__ static __forceinline__ int column() { return chunk() * kChunk; }
};

template <class Shape_, TileRows kRowsOfA, TileRows kRowsOfB>
struct TensorGemm {
  using Shape = Shape_;
  using PlanA = CopyPlan<kRowsOfA, Shape::kTileM, Shape::kThreads>;
  using PlanB = CopyPlan<kRowsOfB, Shape::kTileN, Shape::kThreads>;
  struct Stage {
    OperandTile<kRowsOfA, Shape::kTileM> a;
    OperandTile<kRowsOfB, Shape::kTileN> b;
  };
  static constexpr std::size_t kSharedBytes = kTensorStages * sizeof(Stage);
  struct Sums {
    float v[Shape::kBlocksM][Shape::kBlocksN][4];
  };
  /// Of A's rows over the depth. Warps that share rows share this work: warp n of them has the blocks n, n + kWarpsN, ...
  /// (one or two: sixteen registers in one warp would cost the other block of a multiprocessor).
  static constexpr int kRowBlocks = Shape::kBlocksM / Shape::kWarpsN;
  struct RowSums {
    float v[kRowBlocks][4] = {};  // all eight columns of a block are the same
  };

  __device__ static __forceinline__ void clear(Sums& sums) {
#pragma unroll
    for (int i = 0; i < Shape::kBlocksM; ++i)
#pragma unroll
      for (int j = 0; j < Shape::kBlocksN; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) sums.v[i][j][e] = 0;
  }

  /// `sums` = the first `slabs` slabs' A * B. After each, per_slab(stage) may read the stage.
  template <Copy kCopy, class CursorA, class CursorB, class PerSlab>
  __device__ static __forceinline__ void multiply(Stage* stages, CursorA& a, CursorB& b, int slabs, Sums& sums,
                                                  PerSlab&& per_slab) {
    clear(sums);
#pragma unroll
    for (int stage = 0; stage < kTensorStages - 1; ++stage) {
      if (stage < slabs) fill<kCopy>(stages[stage], a, b);
      async_commit();
    }
    int stage = 0, next = kTensorStages - 1;
#pragma unroll 1
    for (int slab = 0; slab < slabs; ++slab) {
      async_wait<kTensorStages - 2>();
      __syncthreads();  // everybody's share of this slab is there, and nobody reads the stage that is filled next
      if (slab + kTensorStages - 1 < slabs) fill<kCopy>(stages[next], a, b);
      async_commit();
      multiply_slab(stages[stage], sums);
      per_slab(stages[stage]);
      stage = stage + 1 == kTensorStages ? 0 : stage + 1;
      next = next + 1 == kTensorStages ? 0 : next + 1;
    }
  }

  /// Adds a slab's A: a product with a column of ones. Summed element by element, the few blocks of a grid that do it
  /// would be the last ones by far.
  __device__ static __forceinline__ void add_rows(Stage& stage, RowSums& sums) {
    static_assert(Shape::kBlocksM % Shape::kWarpsN == 0, "the warps share the blocks of rows evenly");
    constexpr std::uint32_t kOnes[2] = {0x3f803f80u, 0x3f803f80u};  // of bf16, two a register
#pragma unroll
    for (int k = 0; k < kTensorSlab; k += 16) {
#pragma unroll
      for (int i = 0; i < kRowBlocks; ++i) {
        std::uint32_t a[4];
        load_a(stage, row_block(i), k, a);
        mma_m16n8k16<__nv_bfloat16>(sums.v[i], a, kOnes);
      }
    }
  }
  /// Calls store(row of the block's tile, sum) once a row.
  template <class Store>
  __device__ static __forceinline__ void visit_rows(const RowSums& sums, const Store& store) {
    if (mma_member(lane_index()) != 0) return;
#pragma unroll
    for (int i = 0; i < kRowBlocks; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half)
        store(row_block(i) + mma_group(lane_index()) + 8 * half, sums.v[i][2 * half]);
    }
  }

  /// Calls store.row(m) once a row and store.quad(row, n, four neighbouring sums). m and n start at the block's tile.
  template <class Store>
  __device__ static __forceinline__ void visit(const Sums& sums, int m0, int n0, const Store& store) {
    const int m = m0 + warp_index() / Shape::kWarpsN * Shape::kWarpM;
    const int n = n0 + warp_index() % Shape::kWarpsN * Shape::kWarpN;
#pragma unroll
    for (int i = 0; i < Shape::kBlocksM; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const auto row = store.row(m + i * kMmaM + half * 8 + mma_group(lane_index()));
#pragma unroll
        for (int j = 0; j < Shape::kBlocksN; j += 2) {
          int column = 0;
          const Vec<float, 4> quad = exchanged(sums.v[i][j], sums.v[i][j + 1], half, column);
          store.quad(row, n + j * kMmaN + column, quad);
        }
      }
    }
  }

 private:
  template <Copy kCopy, class Plan, class TileType, class Cursor>
  __device__ static __forceinline__ void fill_tile(TileType& tile, const Cursor& cursor) {
#pragma unroll
    for (int i = 0; i < Plan::kItems; ++i) {
      __nv_bfloat16* to = tile.chunk(Plan::row() + i * Plan::kRowStep, Plan::chunk());
      if constexpr (kCopy == Copy::kChunks) {
        const __nv_bfloat16* from = cursor.chunk(i);
        async_copy<16>(to, from ? from : cursor.base(), from ? Fill::kCopy : Fill::kZero);
      } else {
        store_vector(to, cursor.template gather<kChunk>(i));
      }
    }
  }
  template <Copy kCopy, class CursorA, class CursorB>
  __device__ static __forceinline__ void fill(Stage& stage, CursorA& a, CursorB& b) {
    fill_tile<kCopy, PlanA>(stage.a, a);
    fill_tile<kCopy, PlanB>(stage.b, b);
    a.advance(kTensorSlab);
    b.advance(kTensorSlab);
  }

  /// The first row of the warp's i-th block of RowSums.
  __device__ static __forceinline__ int row_block(int i) {
    return warp_index() / Shape::kWarpsN * Shape::kWarpM + (warp_index() % Shape::kWarpsN + i * Shape::kWarpsN) * kMmaM;
  }

  __device__ static __forceinline__ void load_a(Stage& stage, int row, int k, std::uint32_t (&a)[4]) {
    if constexpr (kRowsOfA == TileRows::kOuter)
      stage.a.load_a(row, k, a);
    else
      stage.a.load_a_transposed(k, row, a);
  }

  __device__ static __forceinline__ void multiply_slab(Stage& stage, Sums& sums) {
    const int m = warp_index() / Shape::kWarpsN * Shape::kWarpM, n = warp_index() % Shape::kWarpsN * Shape::kWarpN;
#pragma unroll
    for (int k = 0; k < kTensorSlab; k += 16) {
      std::uint32_t a[Shape::kBlocksM][4], b[Shape::kBlocksN / 2][4];
#pragma unroll
      for (int i = 0; i < Shape::kBlocksM; ++i) load_a(stage, m + i * kMmaM, k, a[i]);
#pragma unroll
      for (int j = 0; j < Shape::kBlocksN / 2; ++j) {
        if constexpr (kRowsOfB == TileRows::kOuter)
          stage.b.load_b(n + j * 2 * kMmaN, k, b[j]);
        else
          stage.b.load_b_transposed(k, n + j * 2 * kMmaN, b[j]);
      }
      multiply_fragments(a, b, sums);
    }
  }

 public:
  __device__ static __forceinline__ void multiply_fragments(const std::uint32_t (&a)[Shape::kBlocksM][4],
                                                            const std::uint32_t (&b)[Shape::kBlocksN / 2][4],
                                                            Sums& sums) {
#pragma unroll
    for (int j = 0; j < Shape::kBlocksN / 2; ++j) {
      const std::uint32_t first[2] = {b[j][0], b[j][1]}, second[2] = {b[j][2], b[j][3]};
#pragma unroll
      for (int i = 0; i < Shape::kBlocksM; ++i) {
        mma_m16n8k16<__nv_bfloat16>(sums.v[i][2 * j], a[i], first);
        mma_m16n8k16<__nv_bfloat16>(sums.v[i][2 * j + 1], a[i], second);
      }
    }
  }

 private:
  /// A lane holds two neighbouring columns of each of two 8-column blocks; with its neighbour it trades one pair, so
  /// that even lanes hold four columns of the first block and odd lanes four of the second. Four lanes then write 16
  /// neighbours: a whole 32-byte sector of bf16.
  __device__ static __forceinline__ Vec<float, 4> exchanged(const float (&first)[4], const float (&second)[4], int half,
                                                            int& column) {
    const int member = mma_member(lane_index());
    const bool odd = member & 1;
    const float low[2] = {first[2 * half], first[2 * half + 1]}, high[2] = {second[2 * half], second[2 * half + 1]};
    float got[2];
#pragma unroll
    for (int e = 0; e < 2; ++e) got[e] = __shfl_xor_sync(kWholeWarp, odd ? low[e] : high[e], 1);
    column = odd ? kMmaN + 2 * (member - 1) : 2 * member;
    Vec<float, 4> quad;
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      quad[e] = odd ? got[e] : low[e];
      quad[2 + e] = odd ? high[e] : got[e];
    }
    return quad;
  }
};

}  // namespace cudacards
