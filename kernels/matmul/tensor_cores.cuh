#pragma once
// A block's tile of a matrix product on tensor cores, in bf16 or in fp32 rounded to tf32.
//
//   128 x 128 by 8 warps:       32 x 128 by 4 warps:   a warp's 64 x 32 (or 32 x 32): 16 x 8 blocks of mma
//   +----+----+----+----+       +----+----+----+----+
//   | w0 | w1 | w2 | w3 |       | w0 | w1 | w2 | w3 |      128 x 32 by 4 warps: the same turned
//   +----+----+----+----+       +----+----+----+----+
//   | w4 | w5 | w6 | w7 |
//   +----+----+----+----+

#include "kernels/matmul/operands.h"
#include "kernels/matmul/quad.cuh"
#include "kernels/simt/tf32_tile.h"
#include "kernels/simt/tile.h"

namespace cudacards {

/// Two bf16, each multiplied by the activation's derivative at its result. A product and no choice: a NaN stays.
__device__ __forceinline__ std::uint32_t times_derivative(std::uint32_t diff, std::uint32_t results,
                                                          Activation activation) {
  // A bf16 is the upper half of a float; times 0 or 1 it still is.
  const float low = __uint_as_float(diff << 16) * derivative_from_result(activation, __uint_as_float(results << 16));
  const float high =
      __uint_as_float(diff & 0xffff0000u) * derivative_from_result(activation, __uint_as_float(results & 0xffff0000u));
  return __float_as_uint(high) | __float_as_uint(low) >> 16;
}

/// What the instruction multiplies at a time: kDepth of k, an element or two a register.
template <class Element>
struct MmaStep;
template <>
struct MmaStep<__nv_bfloat16> {
  static constexpr int kDepth = 16;
  static constexpr std::uint32_t kOnes = 0x3f803f80u;
  template <int kRows, int kColumns>
  using TileOf = Tile<__nv_bfloat16, kRows, kColumns>;

  static __device__ __forceinline__ std::uint32_t masked(std::uint32_t diff, std::uint32_t results,
                                                         Activation activation) {
    return times_derivative(diff, results, activation);
  }
  static __device__ __forceinline__ void round(std::uint32_t (&)[4]) {}
  static __device__ __forceinline__ void multiply(float (&sum)[4], const std::uint32_t (&a)[4],
                                                  const std::uint32_t (&b)[2]) {
    mma_m16n8k16<__nv_bfloat16>(sum, a, b);
  }
};
template <>
struct MmaStep<float> {
  static constexpr int kDepth = 8;
  static constexpr std::uint32_t kOnes = 0x3f800000u;
  template <int kRows, int kColumns>
  using TileOf = Tf32Tile<float, kRows, kColumns>;

  static __device__ __forceinline__ std::uint32_t masked(std::uint32_t diff, std::uint32_t result,
                                                         Activation activation) {
    return __float_as_uint(__uint_as_float(diff) * derivative_from_result(activation, __uint_as_float(result)));
  }
  static __device__ __forceinline__ void round(std::uint32_t (&factors)[4]) {
#pragma unroll
    for (std::uint32_t& factor : factors) factor = tf32_bits(__uint_as_float(factor));
  }
  static __device__ __forceinline__ void multiply(float (&sum)[4], const std::uint32_t (&a)[4],
                                                  const std::uint32_t (&b)[2]) {
    mma_m16n8k8_tf32(sum, a, b);
  }
};

template <class T, int kTileM, int kTileN, int kTileK, int kWarpsM, int kWarpsN, int kStageCount, class Direction>
struct TensorCores {
  using Element = T;
  static constexpr Layout kA = Direction::kA, kB = Direction::kB;
  static constexpr int kM = kTileM, kN = kTileN, kK = kTileK, kStages = kStageCount;
  static constexpr int kThreads = kWarpsM * kWarpsN * kWarpSize;
  // Of a multiprocessor, that registers must do for. With both operands k outer fp32 spills in half of them.
  static constexpr bool kIsWide = sizeof(T) == 4 && kA == Layout::kDepthOuter && kB == Layout::kDepthOuter;
  static constexpr int kBlocks = kThreads != 256 ? 3 : kIsWide ? 1 : 2;
  static constexpr int kBlocksM = kM / kWarpsM / 16, kBlocksN = kN / kWarpsN / 8;  // of a warp, 16 x 8 each
  static constexpr int kDepth = MmaStep<T>::kDepth;
  static_assert(kBlocksM * 16 * kWarpsM == kM && kBlocksN * 8 * kWarpsN == kN && kK % kDepth == 0, "whole blocks");
  static_assert(kBlocksN % 2 == 0, "blocks of eight columns are loaded and stored in twos");

  using ATile =
      typename MmaStep<T>::template TileOf<kA == Layout::kDepthInner ? kM : kK, kA == Layout::kDepthInner ? kK : kM>;
  using BTile =
      typename MmaStep<T>::template TileOf<kB == Layout::kDepthInner ? kN : kK, kB == Layout::kDepthInner ? kK : kN>;

  float sum[kBlocksM][kBlocksN][4] = {};
  float row_sum[kBlocksM][4] = {};  // all eight columns are the same

  static __device__ __forceinline__ int warp_row() { return warp_index() / kWarpsN * (kM / kWarpsM); }
  static __device__ __forceinline__ int warp_column() { return warp_index() % kWarpsN * (kN / kWarpsN); }

  /// Adds a slab. `results`: of the activation behind A, or null. `sums`: whether this block sums A's rows.
  __device__ __forceinline__ void multiply(ATile& a, BTile& b, ATile* results, Activation activation, RowSums sums) {
#pragma unroll
    for (int k = 0; k < kK; k += kDepth) {
      std::uint32_t b_of[kBlocksN / 2][4];
#pragma unroll
      for (int pair = 0; pair < kBlocksN / 2; ++pair) {
        const int column = warp_column() + 16 * pair;
        if constexpr (kB == Layout::kDepthInner) {
          b.load_b(column, k, b_of[pair]);
        } else {
          b.load_b_transposed(k, column, b_of[pair]);
        }
        MmaStep<T>::round(b_of[pair]);
      }
#pragma unroll
      for (int block = 0; block < kBlocksM; ++block) {
        std::uint32_t a_of[4];
        load_a(a, block, k, a_of);
        if constexpr (Direction::kMasked == Masked::kYes) {
          if (results != nullptr) {
            std::uint32_t result[4];
            load_a(*results, block, k, result);
#pragma unroll
            for (int i = 0; i < 4; ++i) a_of[i] = MmaStep<T>::masked(a_of[i], result[i], activation);
          }
        }
        MmaStep<T>::round(a_of);
#pragma unroll
        for (int pair = 0; pair < kBlocksN / 2; ++pair) {
          const std::uint32_t first[2] = {b_of[pair][0], b_of[pair][1]}, second[2] = {b_of[pair][2], b_of[pair][3]};
          MmaStep<T>::multiply(sum[block][2 * pair], a_of, first);
          MmaStep<T>::multiply(sum[block][2 * pair + 1], a_of, second);
        }
        if constexpr (Direction::kSums == RowSums::kYes) {
          constexpr std::uint32_t kOnes[2] = {MmaStep<T>::kOnes, MmaStep<T>::kOnes};  // a B of ones sums the rows of A
          if (sums == RowSums::kYes && warp_column() == 0) MmaStep<T>::multiply(row_sum[block], a_of, kOnes);
        }
      }
    }
  }

  /// f(row, column, quad) for all quads of the tile. Of a row of two blocks a lane holds a pair in each; two lanes
  /// change pairs, and each has four neighbours:
  ///
  ///   member:   0    1    2    3                           0    2    1    3
  ///   block 0   ab   cd   ef   gh     after the exchange:  abcd efgh ijkl mnop     64 bytes of fp32 a row
  ///   block 1   ij   kl   mn   op
  template <class F>
  __device__ __forceinline__ void for_each_quad(F f) const {
    const int lane = lane_index(), member = mma_member(lane);
    const bool is_odd = member % 2 != 0;
#pragma unroll
    for (int block = 0; block < kBlocksM; ++block) {
#pragma unroll
      for (int pair = 0; pair < kBlocksN / 2; ++pair) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const float(&first)[4] = sum[block][2 * pair];
          const float(&second)[4] = sum[block][2 * pair + 1];
          const float own[2] = {is_odd ? second[2 * half] : first[2 * half],
                                is_odd ? second[2 * half + 1] : first[2 * half + 1]};
          const float given[2] = {is_odd ? first[2 * half] : second[2 * half],
                                  is_odd ? first[2 * half + 1] : second[2 * half + 1]};
          const float taken[2] = {__shfl_xor_sync(kWholeWarp, given[0], 1), __shfl_xor_sync(kWholeWarp, given[1], 1)};
          const Quad quad =
              is_odd ? Quad{{taken[0], taken[1], own[0], own[1]}} : Quad{{own[0], own[1], taken[0], taken[1]}};
          f(warp_row() + 16 * block + 8 * half + mma_group(lane),
            warp_column() + 16 * pair + (is_odd ? 8 : 0) + member / 2 * 4, quad);
        }
      }
    }
  }

  /// f(row, sum of A's row), each row once.
  template <class F>
  __device__ __forceinline__ void for_each_row_sum(F f) const {
    const int lane = lane_index();
    if (warp_column() != 0 || mma_member(lane) != 0) return;
#pragma unroll
    for (int block = 0; block < kBlocksM; ++block) {
#pragma unroll
      for (int half = 0; half < 2; ++half)
        f(warp_row() + 16 * block + 8 * half + mma_group(lane), row_sum[block][2 * half]);
    }
  }

 private:
  static __device__ __forceinline__ void load_a(ATile& tile, int block, int k, std::uint32_t (&a)[4]) {
    const int row = warp_row() + 16 * block;
    if constexpr (kA == Layout::kDepthInner) {
      tile.load_a(row, k, a);
    } else {
      tile.load_a_transposed(k, row, a);
    }
  }
};

}  // namespace cudacards
