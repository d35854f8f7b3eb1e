#pragma once
// CUDA C++ for a plain C++ compiler: the words of the language that kernels use. Types, vector types and 16-bit floats
// are those of the toolkit's own headers.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <driver_types.h>
#include <vector_types.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/simt/emulator/device_side.h"

#undef __global__
#undef __device__
#undef __host__
#undef __constant__
#undef __forceinline__
#undef __noinline__
#undef __launch_bounds__
#undef __align__
#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

#define threadIdx (::cudacards::emulator::thread_index())
#define blockIdx (::cudacards::emulator::block_index())
#define blockDim (::cudacards::emulator::block_size())
#define gridDim (::cudacards::emulator::grid_size())

#define __syncthreads() ::cudacards::emulator::barrier(__COUNTER__)
#define __syncwarp(...) ::cudacards::emulator::warp_barrier(::cudacards::emulator::mask_of(__VA_ARGS__), __COUNTER__)

// The address in the kernel's code from where the emulator is called: that of the function in which this is inlined.
#define CUDACARDS_CALLER (::cudacards::emulator::this_address())

namespace cudacards::emulator {

CUDACARDS_NO_MERGE [[gnu::noinline]] const void* this_address();

constexpr unsigned mask_of(unsigned mask = 0xffffffffu) { return mask; }

template <class T>
inline T shuffled(Shuffle kind, unsigned mask, T value, int operand, int width, const void* caller) {
  static_assert(sizeof(T) == 4, "shuffles move 32 bits");
  return std::bit_cast<T>(shuffle(kind, mask, std::bit_cast<std::uint32_t>(value), operand, width, caller));
}

}  // namespace cudacards::emulator

template <class T>
__forceinline__ T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  using namespace cudacards::emulator;
  return shuffled(Shuffle::kIndex, mask, value, lane, width, CUDACARDS_CALLER);
}
template <class T>
__forceinline__ T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  using namespace cudacards::emulator;
  return shuffled(Shuffle::kUp, mask, value, static_cast<int>(by), width, CUDACARDS_CALLER);
}
template <class T>
__forceinline__ T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  using namespace cudacards::emulator;
  return shuffled(Shuffle::kDown, mask, value, static_cast<int>(by), width, CUDACARDS_CALLER);
}
template <class T>
__forceinline__ T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  using namespace cudacards::emulator;
  return shuffled(Shuffle::kXor, mask, value, lanes, width, CUDACARDS_CALLER);
}

__forceinline__ unsigned __ballot_sync(unsigned mask, bool value) {
  return cudacards::emulator::vote(cudacards::emulator::Vote::kBallot, mask, value, CUDACARDS_CALLER);
}
__forceinline__ int __all_sync(unsigned mask, bool value) {
  return static_cast<int>(cudacards::emulator::vote(cudacards::emulator::Vote::kAll, mask, value, CUDACARDS_CALLER));
}
__forceinline__ int __any_sync(unsigned mask, bool value) {
  return static_cast<int>(cudacards::emulator::vote(cudacards::emulator::Vote::kAny, mask, value, CUDACARDS_CALLER));
}
inline unsigned __activemask() { return cudacards::emulator::active_mask(); }

__forceinline__ unsigned __reduce_add_sync(unsigned mask, unsigned value) {
  return cudacards::emulator::reduce(cudacards::emulator::Reduction::kAdd, mask, value, CUDACARDS_CALLER);
}
__forceinline__ int __reduce_add_sync(unsigned mask, int value) {
  return static_cast<int>(__reduce_add_sync(mask, static_cast<unsigned>(value)));
}
__forceinline__ unsigned __reduce_min_sync(unsigned mask, unsigned value) {
  return cudacards::emulator::reduce(cudacards::emulator::Reduction::kMin, mask, value, CUDACARDS_CALLER);
}
__forceinline__ unsigned __reduce_max_sync(unsigned mask, unsigned value) {
  return cudacards::emulator::reduce(cudacards::emulator::Reduction::kMax, mask, value, CUDACARDS_CALLER);
}
__forceinline__ int __reduce_min_sync(unsigned mask, int value) {
  using namespace cudacards::emulator;
  return static_cast<int>(reduce(Reduction::kMinSigned, mask, static_cast<unsigned>(value), CUDACARDS_CALLER));
}
__forceinline__ int __reduce_max_sync(unsigned mask, int value) {
  using namespace cudacards::emulator;
  return static_cast<int>(reduce(Reduction::kMaxSigned, mask, static_cast<unsigned>(value), CUDACARDS_CALLER));
}
__forceinline__ unsigned __reduce_or_sync(unsigned mask, unsigned value) {
  return cudacards::emulator::reduce(cudacards::emulator::Reduction::kOr, mask, value, CUDACARDS_CALLER);
}
__forceinline__ unsigned __reduce_and_sync(unsigned mask, unsigned value) {
  return cudacards::emulator::reduce(cudacards::emulator::Reduction::kAnd, mask, value, CUDACARDS_CALLER);
}

// Atomics. The fibers take turns only where they wait, so the plain arithmetic is atomic; memory is told of the access.
#define CUDACARDS_ATOMIC(name, expression)                                                            \
  template <class T>                                                                                  \
  __attribute__((no_sanitize("thread"))) inline T name(T* address, std::type_identity_t<T> operand) { \
    cudacards::emulator::atomic_access(address, sizeof(T), __builtin_return_address(0));              \
    const T old = *address;                                                                           \
    *address = (expression);                                                                          \
    return old;                                                                                       \
  }
CUDACARDS_ATOMIC(atomicAdd, old + operand)
CUDACARDS_ATOMIC(atomicSub, old - operand)
CUDACARDS_ATOMIC(atomicExch, operand)
CUDACARDS_ATOMIC(atomicMin, operand < old ? operand : old)
CUDACARDS_ATOMIC(atomicMax, operand > old ? operand : old)
CUDACARDS_ATOMIC(atomicOr, old | operand)
CUDACARDS_ATOMIC(atomicAnd, old& operand)
#undef CUDACARDS_ATOMIC
template <class T>
__attribute__((no_sanitize("thread"))) inline T atomicCAS(T* address, std::type_identity_t<T> expected,
                                                          std::type_identity_t<T> desired) {
  cudacards::emulator::atomic_access(address, sizeof(T), __builtin_return_address(0));
  const T old = *address;
  if (old == expected) *address = desired;
  return old;
}
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T>
__forceinline__ T __ldg(const T* address) {
  return *address;
}

// Arithmetic. The fast functions are the exact ones here: tests bound the difference.
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __frsqrt_rn(float x) { return 1.0f / std::sqrt(x); }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((std::uint64_t{a} * b) >> 32); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
/// Four bytes picked from the eight of (y, x) by the four nibbles of s.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned s) {
  const std::uint64_t bytes = (std::uint64_t{y} << 32) | x;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) result |= static_cast<unsigned>((bytes >> (8 * ((s >> (4 * i)) & 7))) & 0xff) << (8 * i);
  return result;
}
using std::max;
using std::min;
