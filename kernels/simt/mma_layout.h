#pragma once
// Which lane of a warp holds which element in the matrix instructions mma.sync and ldmatrix. Written once: kernels find
// their elements by it, and the emulator multiplies by it.
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 / m16n8k8" and "ldmatrix".
//
// D (16 x 8) = A (16 x K) * B (K x 8) + C (16 x 8). Four lanes share a row of A, C, D and a column of B: lane = 4 group
// + member.
//
//   16-bit elements, K = 16                      tf32, K = 8
//   A: a0 row group,     k 2 member + {0, 1}     a0 row group,     k member
//      a1 row group + 8, k as a0                 a1 row group + 8, k member
//      a2 row group,     k 8 more                a2 row group,     k member + 4
//      a3 row group + 8, k 8 more                a3 row group + 8, k member + 4
//   B: b0 column group,  k 2 member + {0, 1}     b0 column group,  k member
//      b1 column group,  k 8 more                b1 column group,  k member + 4
//   C, D: c0 c1 row group, columns 2 member + {0, 1}; c2 c3 row group + 8

#include "kernels/base/host_device.h"

namespace cudacards {

struct MmaPlace {
  int row, column;  // of A: row, k; of B: k, column
};

constexpr int kMmaM = 16, kMmaN = 8;

CUDACARDS_HOST_DEVICE constexpr int mma_group(int lane) { return lane >> 2; }
CUDACARDS_HOST_DEVICE constexpr int mma_member(int lane) { return lane & 3; }

/// Element `i` (0 ... 3) of the accumulator.
CUDACARDS_HOST_DEVICE constexpr MmaPlace mma_c_place(int lane, int i) {
  return {mma_group(lane) + 8 * (i >> 1), 2 * mma_member(lane) + (i & 1)};
}

/// Half `half` (0 lower, 1 upper) of register `reg` (0 ... 3) of A (16 x 16), 16-bit elements.
CUDACARDS_HOST_DEVICE constexpr MmaPlace mma16_a_place(int lane, int reg, int half) {
  return {mma_group(lane) + 8 * (reg & 1), 2 * mma_member(lane) + half + 8 * (reg >> 1)};
}
/// Half `half` of register `reg` (0, 1) of B (16 x 8).
CUDACARDS_HOST_DEVICE constexpr MmaPlace mma16_b_place(int lane, int reg, int half) {
  return {2 * mma_member(lane) + half + 8 * reg, mma_group(lane)};
}

/// Register `reg` (0 ... 3) of A (16 x 8), tf32.
CUDACARDS_HOST_DEVICE constexpr MmaPlace mma8_a_place(int lane, int reg) {
  return {mma_group(lane) + 8 * (reg & 1), mma_member(lane) + 4 * (reg >> 1)};
}
/// Register `reg` (0, 1) of B (8 x 8), tf32.
CUDACARDS_HOST_DEVICE constexpr MmaPlace mma8_b_place(int lane, int reg) {
  return {mma_member(lane) + 4 * reg, mma_group(lane)};
}

/// ldmatrix: lane l names row l % 8 of matrix l / 8 (eight 16-bit elements); register m of lane l then holds row
/// l / 4, columns 2 (l % 4) + {0, 1} of matrix m. Transposed: rows 2 (l % 4) + {0, 1}, column l / 4.
CUDACARDS_HOST_DEVICE constexpr MmaPlace ldmatrix_place(int lane, int half, bool transposed) {
  return transposed ? MmaPlace{2 * mma_member(lane) + half, mma_group(lane)}
                    : MmaPlace{mma_group(lane), 2 * mma_member(lane) + half};
}

}  // namespace cudacards
