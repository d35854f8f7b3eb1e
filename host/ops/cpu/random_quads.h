#pragma once
// Philox4x32-10 for eight neighbouring quads at once: the same words as random4() in kernels/base/philox.h, in the same
// order.

#include <cstdint>

#include "host/ops/cpu/avx512.h"
#include "kernels/base/philox.h"

namespace cudacards::cpu {

constexpr int kQuads = 8;

/// words[4 * i + j] = random4(seed, purpose, step, lane, first_quad + i).v[j].
inline void random_quads(std::uint64_t seed, RandomPurpose purpose, std::uint64_t step, std::uint32_t lane,
                         std::uint32_t first_quad, std::uint32_t words[4 * kQuads]) {
#if CUDACARDS_AVX512
  // One quad in 64 bits, of which the products read the lower 32: what the upper ones hold does not matter before the
  // end.
  std::uint32_t key0 = static_cast<std::uint32_t>(seed) ^ (static_cast<std::uint32_t>(seed >> 32) * 0x85EBCA6Bu);
  std::uint32_t key1 = static_cast<std::uint32_t>(purpose);
  const auto same = [](std::uint32_t word) { return _mm512_set1_epi64(word); };
  __m512i c0 = same(static_cast<std::uint32_t>(step)), c1 = same(static_cast<std::uint32_t>(step >> 32)),
          c2 = same(lane);
  __m512i c3 = _mm512_add_epi32(same(first_quad), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
  for (int round = 0; round < 10; ++round) {
    const __m512i p0 = _mm512_mul_epu32(c0, same(0xD2511F53u)), p1 = _mm512_mul_epu32(c2, same(0xCD9E8D57u));
    c0 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p1, 32), c1), same(key0));
    c2 = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(p0, 32), c3), same(key1));
    c1 = p1;
    c3 = p0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  const auto pair = [](__m512i even, __m512i odd) {
    return _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
  };
  const __m512i first = pair(c0, c1), second = pair(c2, c3);
  _mm512_storeu_si512(words, _mm512_permutex2var_epi64(first, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), second));
  _mm512_storeu_si512(words + 16,
                      _mm512_permutex2var_epi64(first, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), second));
#else
  for (std::uint32_t i = 0; i < kQuads; ++i) {
    const Random4 quad = random4(seed, purpose, step, lane, first_quad + i);
    for (int j = 0; j < 4; ++j) words[4 * i + j] = quad.v[j];
  }
#endif
}

}  // namespace cudacards::cpu
