#pragma once
// One piece of code for sixteen floats at a time and for one: element-wise loops are written once, over a type V that is
// a vector where the compiler may use AVX-512, and float for what is left over and on other processors (whose compilers
// make vectors of such a loop themselves).

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "host/ops/cpu/avx512.h"
#include "kernels/base/activation.h"
#include "kernels/base/dtype.h"

namespace cudacards::cpu {

template <class V>
V take(const float* p);
template <class V>
V take(const Bf16* p);
template <class V>
V everywhere(float x);

template <>
inline float take<float>(const float* p) {
  return *p;
}
template <>
inline float take<float>(const Bf16* p) {
  return static_cast<float>(*p);
}
template <>
inline float everywhere<float>(float x) {
  return x;
}
inline void put(float* p, float v) { *p = v; }
inline void put(Bf16* p, float v) { *p = static_cast<Bf16>(v); }
inline void stream(float* p, float v) { put(p, v); }
inline void stream(Bf16* p, float v) { put(p, v); }
/// Where p[element] will be read before long; it may lie outside of what p points into.
template <class T>
inline void prefetch_soon(const T* p, std::int64_t element) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) +
                                                   static_cast<std::uintptr_t>(element) * sizeof(T)));
}
inline float multiply_add(float a, float b, float c) { return a * b + c; }
inline float at_least(float x, float least) { return x <= least ? least : x; }
inline float at_most(float x, float most) { return x > most ? most : x; }
/// x where low < y < high, else 0.
inline float where_between(float low, float y, float high, float x) { return y > low && y < high ? x : 0.0f; }
inline float where_above(float low, float y, float x) { return y > low ? x : 0.0f; }

#if !CUDACARDS_AVX512
inline void drain() {}
#else
using Lanes = __m512;

template <>
inline Lanes take<Lanes>(const float* p) {
  return load(p);
}
template <>
inline Lanes take<Lanes>(const Bf16* p) {
  return load(p);
}
template <>
inline Lanes everywhere<Lanes>(float x) {
  return _mm512_set1_ps(x);
}
inline void put(float* p, Lanes v) { store(p, v); }
#if defined(__AVX512BF16__)
/// One instruction for what bf16_bits() computes, but that it takes what is below 1.2e-38 for 0.
inline void put(Bf16* p, Lanes v) {
  const __m256bh bits = _mm512_cvtneps_pbh(v);
  std::memcpy(&p->bits, &bits, sizeof bits);
}
#else
inline void put(Bf16* p, Lanes v) { store(p, v); }
#endif
/// put() past the caches: p on a whole vector. Whoever reads it next has waited for drain().
inline void stream(float* p, Lanes v) { _mm512_stream_ps(p, v); }
inline void stream(Bf16* p, Lanes v) {
  alignas(32) Bf16 rounded[16];
  put(rounded, v);
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), _mm256_load_si256(reinterpret_cast<const __m256i*>(rounded)));
}
inline void drain() { _mm_sfence(); }
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
// A NaN stays one: the instruction returns its second operand then.
inline Lanes at_least(Lanes x, float least) { return _mm512_max_ps(everywhere<Lanes>(least), x); }
inline Lanes at_most(Lanes x, float most) { return _mm512_min_ps(everywhere<Lanes>(most), x); }
inline Lanes where_above(float low, Lanes y, Lanes x) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, everywhere<Lanes>(low), _CMP_GT_OQ), x);
}
inline Lanes where_between(float low, Lanes y, float high, Lanes x) {
  const __mmask16 above = _mm512_cmp_ps_mask(y, everywhere<Lanes>(low), _CMP_GT_OQ);
  return _mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(above, y, everywhere<Lanes>(high), _CMP_LT_OQ), x);
}
#endif

/// Whether results at p go past the caches by stream(): so many that they would not stay there, and on whole lines.
template <class T>
bool streams_to(const T* p, std::int64_t elements) {
  constexpr std::int64_t kLeast = 24 << 20;  // bytes; less is found in the last cache again by whoever reads it next
  return elements * static_cast<std::int64_t>(sizeof(T)) >= kLeast && reinterpret_cast<std::uintptr_t>(p) % 64 == 0;
}

/// Calls body(V(), i) for all of [0, count) in order, V and i telling which elements: sixteen from i on, or one.
template <class Body>
inline void in_lanes(std::int64_t count, Body body) {
  std::int64_t i = 0;
#if CUDACARDS_AVX512
  for (; i + 16 <= count; i += 16) body(Lanes(), i);
#endif
#pragma GCC ivdep
  for (; i < count; ++i) body(float(), i);
}

template <Activation kind, class V>
inline V activated(V x) {
  if constexpr (kind != Activation::kNone) x = at_least(x, 0.0f);
  if constexpr (kind == Activation::kRelu6) x = at_most(x, 6.0f);
  return x;
}

/// Where activated(x), rounded to a T as it is stored, becomes 6: halfway between 6 and what comes before it (and that
/// tie goes to 6, which is even).
template <class T>
constexpr float kRoundsToSix = 6.0f;
template <>
inline constexpr float kRoundsToSix<Bf16> = 6.0f - 1.0f / 64.0f;

/// The gradient in front of the activation, from x = what was activated and stored as T, and the gradient behind it.
template <Activation kind, class T, class V>
inline V gradient_through(V x, V diff) {
  if constexpr (kind == Activation::kRelu) return where_above(0.0f, x, diff);
  if constexpr (kind == Activation::kRelu6) return where_between(0.0f, x, kRoundsToSix<T>, diff);
  return diff;
}

}  // namespace cudacards::cpu
