#pragma once
// An array in a thread's registers, whose indices the emulator checks: outside of it there is some other variable of
// the thread, and no tool that watches memory notices.

#include "kernels/simt/cuda.h"

namespace cudacards {

/// `i`, which must be 0 ... kSize - 1. Compilers check T[kSize] too (-fsanitize=bounds), but let a reference to the
/// element behind the last pass, and an operator[] is made of references.
template <int kSize>
__host__ __device__ __forceinline__ int checked_index(int i) {
#ifdef CUDACARDS_EMULATED
  if (static_cast<unsigned>(i) >= kSize) emulator::index_fault(i, kSize, CUDACARDS_CALLER);
#endif
  return i;
}

template <class T, int kSize>
struct RegisterArray {
  T v[kSize];
  __host__ __device__ __forceinline__ T& operator[](int i) { return v[checked_index<kSize>(i)]; }
  __host__ __device__ __forceinline__ const T& operator[](int i) const { return v[checked_index<kSize>(i)]; }
};

}  // namespace cudacards
