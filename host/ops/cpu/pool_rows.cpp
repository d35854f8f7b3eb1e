#include "host/ops/cpu/pool_rows.h"

#include <cstddef>

#include "host/ops/cpu/avx512.h"
#include "host/ops/cpu/pooled_conv.h"

namespace cudacards::cpu {
namespace {

/// The convolution's result as it would be stored, were it stored: equals are judged by what an unfused pool would see.
inline float as_stored(float x, float) { return x; }
inline float as_stored(float x, Bf16) { return static_cast<float>(Bf16(x)); }

struct Best {
  float value;
  std::int32_t winner;
};

// One of two, the earlier unless the later is larger or the first NaN.
inline Best larger(Best earlier, float later, std::int32_t where) {
  const bool wins = later > earlier.value || ((later != later) & (earlier.value == earlier.value));
  return {wins ? later : earlier.value, wins ? where : earlier.winner};
}

template <class T>
inline Best best_of_window(const float* top, const float* bottom, int k) {
  Best best{as_stored(top[0], T{}), 0};
  best = larger(best, as_stored(top[k], T{}), 1);
  best = larger(best, as_stored(bottom[0], T{}), 2);
  return larger(best, as_stored(bottom[k], T{}), 3);
}

/// Channels first ... k - 1 of a window; `winners` may be null.
template <Activation kActivation, class T>
void pool_channels(const float* top, const float* bottom, int first, int k, T* dst, std::uint8_t* winners) {
  for (int i = first; i < k; ++i) {
    const Best best = best_of_window<T>(top + i, bottom + i, k);
    dst[i] = static_cast<T>(apply(kActivation, best.value));
    if (!winners) continue;
    // Judged by the result as it is stored, as a separate activation would be.
    const bool passes = derivative_from_result(kActivation, static_cast<float>(dst[i])) != 0.0f;
    winners[i] = static_cast<std::uint8_t>(passes ? best.winner : std::int32_t{kBlocked});
  }
}

#if CUDACARDS_AVX512

// What follows repeats the functions above for sixteen channels, line by line.
inline __m512 as_stored(__m512 x, float) { return x; }
inline __m512 as_stored(__m512 x, Bf16) { return _mm512_castsi512_ps(_mm512_slli_epi32(bf16_bits(x), 16)); }

struct Best16 {
  __m512 value;
  __m512i winner;
};

inline Best16 larger(const Best16& earlier, __m512 later, int where) {
  const __mmask16 first_nan =
      _mm512_cmp_ps_mask(later, later, _CMP_UNORD_Q) & _mm512_cmp_ps_mask(earlier.value, earlier.value, _CMP_ORD_Q);
  const __mmask16 wins = _mm512_cmp_ps_mask(later, earlier.value, _CMP_GT_OQ) | first_nan;
  return {_mm512_mask_mov_ps(earlier.value, wins, later),
          _mm512_mask_mov_epi32(earlier.winner, wins, _mm512_set1_epi32(where))};
}

inline __m512 zero() { return _mm512_setzero_ps(); }
inline __m512 six() { return _mm512_set1_ps(6.0f); }

template <Activation kActivation>
__m512 apply16(__m512 x) {
  if constexpr (kActivation != Activation::kNone)
    x = _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask(x, zero(), _CMP_LE_OQ), zero());
  if constexpr (kActivation == Activation::kRelu6)
    x = _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask(x, six(), _CMP_GT_OQ), six());
  return x;
}

template <Activation kActivation>
__mmask16 passes16(__m512 result) {
  __mmask16 passes = 0xffff;
  if constexpr (kActivation != Activation::kNone) passes = _mm512_cmp_ps_mask(result, zero(), _CMP_GT_OQ);
  if constexpr (kActivation == Activation::kRelu6) passes &= _mm512_cmp_ps_mask(result, six(), _CMP_LT_OQ);
  return passes;
}

template <Activation kActivation, class T>
void pool_window(const float* top, const float* bottom, int k, T* dst, std::uint8_t* winners) {
  int i = 0;
  for (; i + kLanes <= k; i += kLanes) {
    Best16 best{as_stored(load(top + i), T{}), _mm512_setzero_si512()};
    best = larger(best, as_stored(load(top + k + i), T{}), 1);
    best = larger(best, as_stored(load(bottom + i), T{}), 2);
    best = larger(best, as_stored(load(bottom + k + i), T{}), 3);
    const __m512 result = as_stored(apply16<kActivation>(best.value), T{});
    store(dst + i, result);
    if (!winners) continue;
    store_bytes(winners + i,
                _mm512_mask_mov_epi32(_mm512_set1_epi32(kBlocked), passes16<kActivation>(result), best.winner));
  }
  pool_channels<kActivation>(top, bottom, i, k, dst, winners);
}

#else

template <Activation kActivation, class T>
void pool_window(const float* top, const float* bottom, int k, T* dst, std::uint8_t* winners) {
  pool_channels<kActivation>(top, bottom, 0, k, dst, winners);
}

#endif

template <Activation kActivation, class T>
void pool(const float* conv, int rows, int width, int k, T* dst, std::uint8_t* winners) {
  const std::ptrdiff_t pitch = std::ptrdiff_t{width} * k;
  for (int row = 0; row < rows; ++row) {
    for (int q = 0; q < width / 2; ++q) {
      const float* top = conv + 2 * row * pitch + std::ptrdiff_t{2} * q * k;
      const std::ptrdiff_t at = (std::ptrdiff_t{row} * (width / 2) + q) * k;
      pool_window<kActivation>(top, top + pitch, k, dst + at, winners ? winners + at : nullptr);
    }
  }
}

}  // namespace

template <class T>
void pool_rows(const float* conv, int rows, int width, int k, Activation activation, T* dst, std::uint8_t* winners) {
  switch (activation) {
    case Activation::kNone:
      return pool<Activation::kNone>(conv, rows, width, k, dst, winners);
    case Activation::kRelu:
      return pool<Activation::kRelu>(conv, rows, width, k, dst, winners);
    case Activation::kRelu6:
      return pool<Activation::kRelu6>(conv, rows, width, k, dst, winners);
  }
}

template void pool_rows(const float*, int, int, int, Activation, float*, std::uint8_t*);
template void pool_rows(const float*, int, int, int, Activation, Bf16*, std::uint8_t*);

}  // namespace cudacards::cpu
