#pragma once
// The one kernel behind every matrix product: a pipeline of slabs of k through shared memory, a core that multiplies
// them (TensorCores, CudaCores), an epilogue that is handed the sums, four neighbours at a time.
//
//   slab i + stages - 1 ... i + 1 on their way (cp.async)  |  slab i being multiplied
//
// Blocks: x = tiles, columns fastest, so that blocks that run together share A's rows in the second-level cache;
// z = slices of k.

#include "kernels/matmul/operands.h"
#include "kernels/matmul/quad.cuh"
#include "kernels/simt/async_copy.h"
#include "kernels/simt/shared.h"

namespace cudacards {

/// A rectangle of a matrix in memory from (row, column) on, of which only what lies before the ends exists.
template <class T>
struct Window {
  const T* base;
  std::int64_t stride;
  int row, column, row_end, column_end;
};

/// Starts copying a window to a tile; zeros where it does not exist.
template <int kThreads, Access kAccess, template <class, int, int> class TileOf, class T, int kRows, int kColumns>
__device__ __forceinline__ void load_tile(TileOf<T, kRows, kColumns>& to, const Window<T>& from) {
  constexpr int kPiece = kAccess == Access::kVector ? TileOf<T, kRows, kColumns>::kChunkElements : 1;
  constexpr int kPieces = kRows * kColumns / kPiece;
  [[maybe_unused]] constexpr int kUnroll =
      kAccess == Access::kVector ? kPieces / kThreads + 1 : 4;  // 64 addresses would not fit
#pragma unroll kUnroll
  for (int first = 0; first < kPieces; first += kThreads) {
    const int piece = first + static_cast<int>(threadIdx.x);
    if (kPieces % kThreads != 0 && piece >= kPieces) break;
    const int row = piece / (kColumns / kPiece), column = piece % (kColumns / kPiece) * kPiece;
    const bool exists = from.row + row < from.row_end && from.column + column < from.column_end;
    const T* source = exists ? from.base + (from.row + row) * from.stride + from.column + column : from.base;
    if constexpr (kPiece * sizeof(T) >= 4) {
      async_copy<kPiece * sizeof(T)>(&to.at(row, column), source, exists ? Fill::kCopy : Fill::kZero);
    } else {  // cp.async moves four bytes or more
      to.at(row, column) = exists ? *source : from_float<T>(0.0f);
    }
  }
}

/// The part of an operand that a block needs of one slab.
template <Layout kLayout, class T>
__device__ __forceinline__ Window<T> window_of(const T* base, std::int64_t stride, int row, int rows, int k,
                                               int k_end) {
  if constexpr (kLayout == Layout::kDepthInner) return {base, stride, row, k, rows, k_end};
  return {base, stride, k, row, k_end, rows};
}

template <class Core>
struct Stage {
  typename Core::ATile a;
  typename Core::BTile b;
};

template <class Core, Access kAccess, class Epilogue>
__global__ void __launch_bounds__(Core::kThreads, Core::kBlocks)
    matmul_kernel(MatmulOperands<typename Core::Element> p, Epilogue epilogue) {
  using ATile = typename Core::ATile;
  constexpr int kStages = Core::kStages;
  Stage<Core>* stages = dynamic_shared<Stage<Core>>();          // [kStages]
  ATile* results = reinterpret_cast<ATile*>(stages + kStages);  // [kStages], only behind an activation
  const bool is_masked = p.a_results != nullptr;

  const int tiles_n = (p.size.n + Core::kN - 1) / Core::kN;
  const int row = static_cast<int>(blockIdx.x) / tiles_n * Core::kM;
  const int column = static_cast<int>(blockIdx.x) % tiles_n * Core::kN;
  const int k_begin = static_cast<int>(blockIdx.z) * p.slice_length;
  const int k_end = min(k_begin + p.slice_length, p.size.k);
  const int slabs = (k_end - k_begin + Core::kK - 1) / Core::kK;
  const RowSums sums = column == 0 ? RowSums::kYes : RowSums::kNo;

  const auto load_slab = [&](int slab) {
    const int k = k_begin + slab * Core::kK;
    Stage<Core>& to = stages[slab % kStages];
    load_tile<Core::kThreads, kAccess>(to.a, window_of<Core::kA>(p.a, p.a_stride, row, p.size.m, k, k_end));
    load_tile<Core::kThreads, kAccess>(to.b, window_of<Core::kB>(p.b, p.b_stride, column, p.size.n, k, k_end));
    if (is_masked) {
      load_tile<Core::kThreads, kAccess>(results[slab % kStages],
                                         window_of<Core::kA>(p.a_results, p.a_stride, row, p.size.m, k, k_end));
    }
  };

#pragma unroll
  for (int slab = 0; slab < kStages - 1; ++slab) {
    if (slab < slabs) load_slab(slab);
    async_commit();  // an empty group too, so that group i is always slab i
  }
  Core core;
  for (int slab = 0; slab < slabs; ++slab) {
    async_wait<kStages - 2>();
    __syncthreads();  // slab's copies by all threads have landed; all have read slab - 1, whose place is filled now
    if (slab + kStages - 1 < slabs) load_slab(slab + kStages - 1);
    async_commit();
    Stage<Core>& stage = stages[slab % kStages];
    core.multiply(stage.a, stage.b, is_masked ? &results[slab % kStages] : nullptr, p.activation, sums);
  }

  const auto ready = epilogue.ready();
  core.for_each_quad([&](int tile_row, int tile_column, const Quad& quad) {
    if (row + tile_row < p.size.m && column + tile_column < p.size.n)
      ready.quad(quad_place(row + tile_row, column + tile_column, p.size.n), quad);
  });
  if (sums == RowSums::kNo) return;
  if constexpr (Epilogue::kSums == RowSums::kYes) {
    core.for_each_row_sum([&](int tile_row, float sum) {
      if (row + tile_row < p.size.m) ready.row_sum(row + tile_row, sum);
    });
  }
}

}  // namespace cudacards
