#pragma once
// Several neighbouring elements moved by one instruction: 4, 8 or 16 bytes, aligned to their size.

#include "kernels/simt/register_array.h"

namespace cudacards {

template <class T, int kElements>
struct alignas(sizeof(T) * kElements) Vec {
  static_assert(sizeof(T) * kElements <= 16 && (sizeof(T) * kElements & (sizeof(T) * kElements - 1)) == 0,
                "one load moves 1, 2, 4, 8 or 16 bytes");
  T v[kElements];
  __host__ __device__ __forceinline__ T& operator[](int i) { return v[checked_index<kElements>(i)]; }
  __host__ __device__ __forceinline__ const T& operator[](int i) const { return v[checked_index<kElements>(i)]; }
};

/// One load of kElements neighbours, the first at `from`.
template <int kElements, class T>
__device__ __forceinline__ Vec<T, kElements> load_vector(const T* from) {
#ifdef CUDACARDS_EMULATED
  Vec<T, kElements> value;
  emulator::read_memory(from, &value, sizeof value, CUDACARDS_CALLER);
  return value;
#else
  return *reinterpret_cast<const Vec<T, kElements>*>(from);
#endif
}

/// One store of kElements neighbours, the first at `to`.
template <class T, int kElements>
__device__ __forceinline__ void store_vector(T* to, const Vec<T, kElements>& value) {
#ifdef CUDACARDS_EMULATED
  emulator::write_memory(to, &value, sizeof value, CUDACARDS_CALLER);
#else
  *reinterpret_cast<Vec<T, kElements>*>(to) = value;
#endif
}

}  // namespace cudacards
