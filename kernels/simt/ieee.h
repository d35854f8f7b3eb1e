#pragma once
// fp32 arithmetic with one rounding an operation, in the order it is written. nvcc contracts a product and a sum into a
// fused multiply-add; the CPU's code is compiled without (-ffp-contract=off), so where a kernel promises the CPU's
// bytes it computes in Ieee instead of float and the formula reads the same in both.

#include "kernels/simt/cuda.h"

namespace cudacards {

struct Ieee {
  float value;
  __device__ __forceinline__ Ieee(float x) : value(x) {}  // not explicit: formulas mix it with floats and constants
};

__device__ __forceinline__ Ieee operator+(Ieee a, Ieee b) { return __fadd_rn(a.value, b.value); }
__device__ __forceinline__ Ieee operator-(Ieee a, Ieee b) { return __fsub_rn(a.value, b.value); }
__device__ __forceinline__ Ieee operator*(Ieee a, Ieee b) { return __fmul_rn(a.value, b.value); }
__device__ __forceinline__ Ieee operator/(Ieee a, Ieee b) { return __fdiv_rn(a.value, b.value); }
__device__ __forceinline__ Ieee square_root(Ieee x) { return __fsqrt_rn(x.value); }

}  // namespace cudacards
