#pragma once
// Shared memory by name. A kernel declares what its block shares as one struct and asks for it:
//
//   struct Tiles { float a[32][33]; float b[32][33]; };
//   Tiles& tiles = shared<Tiles>();
//
// so that the emulator can give the same tile poisoned and watched (a __shared__ variable of a template could not be
// found by it). Every member starts undefined.

#include "kernels/simt/cuda.h"

namespace cudacards {

/// The block's T in static shared memory, at most 48 KB a kernel in all. One a kernel and type.
template <class T>
__device__ __forceinline__ T& shared() {
#ifdef CUDACARDS_EMULATED
  static const char identity = 0;
  return *static_cast<T*>(emulator::static_shared(&identity, sizeof(T), alignof(T)));
#else
  __shared__ alignas(128) unsigned char bytes[sizeof(T)];
  return *reinterpret_cast<T*>(bytes);
#endif
}

/// The block's LaunchConfig::shared_bytes of dynamic shared memory, 128-byte aligned.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef CUDACARDS_EMULATED
  return static_cast<T*>(emulator::dynamic_shared());
#else
  extern __shared__ __align__(128) unsigned char cudacards_dynamic_shared[];
  return reinterpret_cast<T*>(cudacards_dynamic_shared);
#endif
}

}  // namespace cudacards
