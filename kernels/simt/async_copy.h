#pragma once
// cp.async: copies from global to shared memory that run beside the arithmetic (sm_80 and later). A thread's copies are
// visible to itself after its async_wait, to the others after the barrier that follows it.

#include <cstdint>

#include "kernels/simt/cuda.h"

namespace cudacards {

enum class Fill : bool { kZero, kCopy };

/// kBytes (4, 8, 16; both addresses aligned to it) from global `from` to shared `to`; or zeros, and `from` is not read.
template <int kBytes>
__device__ __forceinline__ void async_copy(void* to, const void* from, Fill fill = Fill::kCopy) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
#ifdef CUDACARDS_EMULATED
  emulator::async_copy(to, from, kBytes, fill == Fill::kCopy ? kBytes : 0, CUDACARDS_CALLER);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
  const int bytes = fill == Fill::kCopy ? kBytes : 0;
  if constexpr (kBytes == 16) {  // past the first cache: nobody reads it twice from there
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(address), "l"(from), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;\n" ::"r"(address), "l"(from), "n"(kBytes), "r"(bytes)
                 : "memory");
  }
#endif
}

/// Closes the group of copies that this thread has started since the last one.
__device__ __forceinline__ void async_commit() {
#ifdef CUDACARDS_EMULATED
  emulator::async_commit();
#else
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

/// Waits until at most kPending of this thread's latest groups are still on their way.
template <int kPending>
__device__ __forceinline__ void async_wait() {
#ifdef CUDACARDS_EMULATED
  emulator::async_wait(kPending);
#else
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
#endif
}

}  // namespace cudacards
