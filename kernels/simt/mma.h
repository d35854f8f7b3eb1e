#pragma once
// Matrix multiply-accumulate of a warp, D = A * B + D, with fp32 accumulation (sm_80 and later), and the load that puts
// shared memory into its registers. Layouts: mma_layout.h.

#include <cstdint>

#include "kernels/simt/cuda.h"
#include "kernels/simt/mma_layout.h"

namespace cudacards {

/// D (16 x 8) += A (16 x 16) * B (16 x 8); T is __nv_bfloat16 or __half, two to a register, the lower k in the lower
/// half.
template <class T>
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#ifdef CUDACARDS_EMULATED
  emulator::mma_m16n8k16<T>(d, a, b, CUDACARDS_CALLER);
#else
  if constexpr (sizeof(T) == 2 && __is_same(T, __nv_bfloat16)) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    static_assert(__is_same(T, __half), "bf16 or fp16");
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
#endif
}

/// D (16 x 8) += A (16 x 8) * B (8 x 8); the registers hold fp32 bits of which tf32 keeps the upper 19 (tf32_bits).
__device__ __forceinline__ void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4],
                                                 const std::uint32_t (&b)[2]) {
#ifdef CUDACARDS_EMULATED
  emulator::mma_m16n8k8_tf32(d, a, b, CUDACARDS_CALLER);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/// x rounded to tf32's 10 bits of mantissa, to nearest, ties away from zero (cvt.rna).
__device__ __forceinline__ std::uint32_t tf32_bits(float x) {
#ifdef CUDACARDS_EMULATED
  return (__float_as_uint(x) + 0x1000u) & 0xffffe000u;
#else
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;\n" : "=r"(bits) : "f"(x));
  return bits;
#endif
}

/// Four 8 x 8 matrices of 16-bit elements. `row` is this lane's row (16 bytes of shared memory, 16-byte aligned): lanes
/// 8 m ... 8 m + 7 name the rows of matrix m.
__device__ __forceinline__ void ldmatrix_x4(std::uint32_t (&to)[4], const void* row) {
#ifdef CUDACARDS_EMULATED
  emulator::ldmatrix(to, 4, row, emulator::Transposed::kNo, CUDACARDS_CALLER);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
#endif
}

/// The same with each matrix transposed.
__device__ __forceinline__ void ldmatrix_x4_transposed(std::uint32_t (&to)[4], const void* row) {
#ifdef CUDACARDS_EMULATED
  emulator::ldmatrix(to, 4, row, emulator::Transposed::kYes, CUDACARDS_CALLER);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address)
               : "memory");
#endif
}

/// Two matrices; lanes 0 ... 15 name rows, the others' addresses are not read.
__device__ __forceinline__ void ldmatrix_x2(std::uint32_t (&to)[2], const void* row) {
#ifdef CUDACARDS_EMULATED
  emulator::ldmatrix(to, 2, row, emulator::Transposed::kNo, CUDACARDS_CALLER);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];\n"
               : "=r"(to[0]), "=r"(to[1])
               : "r"(address)
               : "memory");
#endif
}

}  // namespace cudacards
