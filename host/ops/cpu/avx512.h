#pragma once
// Sixteen floats at a time: loads and stores of both storage types, where the compiler may use AVX-512.

#if defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512BW__) && defined(__AVX512DQ__)
#define CUDACARDS_AVX512 1

// GCC 12 takes the deliberately undefined operands inside its own intrinsics for uninitialised variables (GCC bug
// 105593).
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>

#include "kernels/base/dtype.h"

namespace cudacards::cpu {

inline __m512 load(const float* p) { return _mm512_loadu_ps(p); }
inline __m512 load(const Bf16* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

inline void store(float* p, __m512 v) { _mm512_storeu_ps(p, v); }
/// The sixteen values as bf16, each in the lower half of its 32 bits: to nearest, ties to even; a NaN keeps its upper
/// half and becomes quiet.
inline __m512i bf16_bits(__m512 v) {
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded =
      _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
  return _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), quiet);
}
inline void store(Bf16* p, __m512 v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(bf16_bits(v)));
}

/// The first `count` of sixteen lanes, 0 <= count <= 16; lanes that are left out are neither read nor written, and read
/// as 0.
inline __mmask16 first_lanes(std::int64_t count) { return static_cast<__mmask16>((1u << count) - 1u); }

inline __m512 load(const float* p, __mmask16 lanes) { return _mm512_maskz_loadu_ps(lanes, p); }
inline __m512 load(const Bf16* p, __mmask16 lanes) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, p)), 16));
}
inline void store(float* p, __m512 v, __mmask16 lanes) { _mm512_mask_storeu_ps(p, lanes, v); }
inline void store(Bf16* p, __m512 v, __mmask16 lanes) {
  _mm256_mask_storeu_epi16(p, lanes, _mm512_cvtepi32_epi16(bf16_bits(v)));
}

/// Sixteen bytes as integers: the winners of sixteen channels.
inline __m512i load_bytes(const std::uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

inline void store_bytes(std::uint8_t* p, __m512i v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(v));
}

/// Of p[element], which may lie outside of what p points into: a prefetch never faults.
template <class T>
std::uintptr_t address_of(const T* p, std::int64_t element) {
  return reinterpret_cast<std::uintptr_t>(p) +
         static_cast<std::uintptr_t>(element * static_cast<std::int64_t>(sizeof(T)));
}
inline void prefetch(std::uintptr_t address) { _mm_prefetch(reinterpret_cast<const char*>(address), _MM_HINT_T1); }

inline __m512i lane_numbers() { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }

}  // namespace cudacards::cpu

#else
#define CUDACARDS_AVX512 0
#endif
