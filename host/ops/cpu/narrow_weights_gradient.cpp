// The first layer's diff_weights: too few channels for vectors of channels, so the vectors are of sixteen filters. For
// one tap each filter multiplies its gradient with one of four pixels, those that the tap sees from the window's four
// places: a permutation inside 128 bits with the winner as its control. The four pixels lie side by side because rows
// are stored interleaved with the next row:
//   pairs[h][w] = (src[h][w], src[h + 1][w])   ->   pairs[h][w .. w + 1] = places 0 2 1 3 as seen by the tap at (h, w).
// Limit: a permutation and a multiply-add for sixteen filters and a tap, on two ports: 27 cycles a window of 16 filters
// at C = 3.

#include <algorithm>
#include <cstring>
#include <utility>

#include "host/ops/cpu/avx512.h"
#include "host/ops/cpu/weights_gradient.h"
#include "host/runtime/buffer.h"
#include "host/runtime/error.h"

#if CUDACARDS_AVX512

namespace cudacards::cpu {
namespace {

constexpr int kTaps = 9;
constexpr int kStrip = 8;  // pooled rows whose source rows are interleaved together

/// The sums of a thread are (K/16, 3, 3, C, 16), then diff_bias (K).
template <int kChannels>
class NarrowWeightsGradient final : public WeightsGradient {
 public:
  explicit NarrowWeightsGradient(const PooledConv& conv)
      : WeightsGradient(conv), strip_(std::clamp(conv.pooled_h(), 1, kStrip)) {}

  std::size_t scratch_bytes() const override {
    return align_up(static_cast<std::size_t>(kChannels * plane()) * sizeof(float));
  }
  void add(const float* src, const float* diff_dst, const std::uint8_t* winners, float* sums,
           void* scratch) const override {
    add_picture(src, diff_dst, winners, sums, static_cast<float*>(scratch));
  }
  void add(const Bf16* src, const Bf16* diff_dst, const std::uint8_t* winners, float* sums,
           void* scratch) const override {
    add_picture(src, diff_dst, winners, sums, static_cast<float*>(scratch));
  }

 private:
  /// pairs (C, 2 * strip + 1, W + 2, 2).
  std::ptrdiff_t pitch() const { return 2 * std::ptrdiff_t{conv_.w + 2}; }
  std::ptrdiff_t plane() const { return (2 * strip_ + 1) * pitch(); }

  template <class T>
  void interleave_rows(const T* src, int first, int rows, float* pairs) const {
    std::fill_n(pairs, kChannels * plane(), 0.0f);
    for (int row = 0; row <= rows; ++row) {
      const int h = first + row;
      if (h < 0 || h >= conv_.h) continue;
      const T* from = src + std::ptrdiff_t{h} * conv_.w * kChannels;
      for (int c = 0; c < kChannels; ++c) {
        float* upper = pairs + c * plane() + row * pitch() + 2;
        float* lower = upper - pitch() + 1;
        for (int w = 0; w < conv_.w; ++w) {
          const float x = static_cast<float>(from[w * kChannels + c]);
          if (row < rows) upper[2 * w] = x;
          if (row > 0) lower[2 * w] = x;
        }
      }
    }
  }

  template <class T>
  void add_row(const float* pairs, const T* diff_dst, const std::uint8_t* winners, int k, float* sums,
               float* diff_bias) const {
    const __m512i pair_of_winner = _mm512_setr_epi32(0, 2, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    __m512 sum[kTaps * kChannels];
#pragma GCC unroll 27
    for (int i = 0; i < kTaps * kChannels; ++i) sum[i] = _mm512_loadu_ps(sums + i * kLanes);
    for (int q = 0; q < conv_.pooled_w(); ++q, pairs += 4) {
      const __m512i winner = load_bytes(winners + std::ptrdiff_t{q} * conv_.k + k);
      const __mmask16 passes = _mm512_cmplt_epi32_mask(winner, _mm512_set1_epi32(kBlocked));
      const __m512 d = _mm512_maskz_mov_ps(passes, load(diff_dst + std::ptrdiff_t{q} * conv_.k + k));
      const __m512i pick = _mm512_permutexvar_epi32(winner, pair_of_winner);
#pragma GCC unroll 27
      for (int i = 0; i < kTaps * kChannels; ++i) {
        const int tap = i / kChannels, c = i % kChannels;
        const float* seen = pairs + c * plane() + (tap / 3) * pitch() + 2 * (tap % 3);
        const __m512 pixel = _mm512_permutevar_ps(_mm512_broadcast_f32x4(_mm_loadu_ps(seen)), pick);
        sum[i] = _mm512_fmadd_ps(d, pixel, sum[i]);
      }
      _mm512_storeu_ps(diff_bias, _mm512_add_ps(_mm512_loadu_ps(diff_bias), d));
    }
#pragma GCC unroll 27
    for (int i = 0; i < kTaps * kChannels; ++i) _mm512_storeu_ps(sums + i * kLanes, sum[i]);
  }

  template <class T>
  void add_picture(const T* src, const T* diff_dst, const std::uint8_t* winners, float* sums, float* pairs) const {
    for (int first = 0; first < conv_.pooled_h(); first += strip_) {
      const int rows = std::min(strip_, conv_.pooled_h() - first);
      interleave_rows(src, 2 * first - 1, 2 * rows + 1, pairs);
      for (int row = 0; row < rows; ++row) {
        const std::ptrdiff_t at = std::ptrdiff_t{first + row} * conv_.pooled_w() * conv_.k;
        for (int k = 0; k < conv_.k; k += kLanes) {
          float row_bias[kLanes] = {};  // a row by itself, because sums of a whole batch are long
          add_row(pairs + 2 * row * pitch(), diff_dst + at, winners + at, k,
                  sums + std::ptrdiff_t{k} * kTaps * kChannels, row_bias);
          for (int i = 0; i < kLanes; ++i) sums[conv_.weight_elements() + k + i] += row_bias[i];
        }
      }
    }
  }

  std::int64_t place_of(std::int64_t tap, int c) const override {
    const std::int64_t k = tap / kTaps;
    return ((k / kLanes * kTaps + tap % kTaps) * kChannels + c) * kLanes + k % kLanes;
  }

  int strip_;
};

}  // namespace

std::unique_ptr<WeightsGradient> make_narrow_weights_gradient(const PooledConv& conv) {
  CUDACARDS_CHECK(conv.c == 1 || conv.c == 3);
  if (conv.c == 1) return std::make_unique<NarrowWeightsGradient<1>>(conv);
  return std::make_unique<NarrowWeightsGradient<3>>(conv);
}

}  // namespace cudacards::cpu
#endif
