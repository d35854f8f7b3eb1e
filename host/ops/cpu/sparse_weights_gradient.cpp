// A picture is taken in strips of pooled rows, a strip in segments of one pooled row. For each strip
//   1. copy_rows: the source rows that it touches, with the zeros around the picture, as (C/16, rows, W + 2, 16) fp32;
// and for each segment, whose four source rows stay in the first cache,
//   2. list_winners: for each filter, the (gradient, place) pairs of its winners;
//   3. accumulate: for each filter, 9 * vectors sums <- memory, sums += gradient * pixels around the place, sums ->
//   memory.
// Limit with two vectors: 18 fused multiply-adds need 20 loads, so 10 cycles a winner and 32 channels against 72 * 0.5
// of the dense one.

#include "host/ops/cpu/avx512.h"
#include "host/ops/cpu/weights_gradient.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "host/runtime/buffer.h"

#if CUDACARDS_AVX512

namespace cudacards::cpu {
namespace {

constexpr int kTaps = 9;
constexpr int kStrip = 8;
constexpr int kSegmentPixels = 28;  // windows: 4 rows * 58 pixels * 2 vectors * 64 bytes = 29 KB

struct Scratch {
  float* padded;         // (C/16, 2 * strip + 2, W + 2, 16)
  float* gradients;      // (K, segment)
  std::int32_t* places;  // (K, segment): offsets from the segment's first pixel
  std::int32_t* counts;  // (K)
  std::size_t bytes;
};

/// The sums of a thread are (C/16/vectors, K, 3, 3, vectors, 16), then diff_bias (K).
class SparseWeightsGradient final : public WeightsGradient {
 public:
  explicit SparseWeightsGradient(const PooledConv& conv);
  std::size_t scratch_bytes() const override { return carve(nullptr).bytes; }
  void add(const float* src, const float* diff_dst, const std::uint8_t* winners, float* sums,
           void* scratch) const override {
    add_picture(src, diff_dst, winners, sums, scratch);
  }
  void add(const Bf16* src, const Bf16* diff_dst, const std::uint8_t* winners, float* sums,
           void* scratch) const override {
    add_picture(src, diff_dst, winners, sums, scratch);
  }

 private:
  Scratch carve(void* scratch) const;
  template <class T>
  void add_picture(const T* src, const T* diff_dst, const std::uint8_t* winners, float* sums, void* scratch) const;
  template <class T>
  void copy_rows(const T* src, int first, int rows, float* padded) const;
  template <class T>
  void list_winners(const T* diff_dst, const std::uint8_t* winners, int windows, const Scratch& lists,
                    float* diff_bias) const;
  template <int kVectors>
  void accumulate(const float* corner, const Scratch& lists, float* sums) const;
  std::int64_t place_of(std::int64_t tap, int c) const override {
    const int together = vectors_ * kLanes;
    return (c / together * std::int64_t{conv_.k} * kTaps + tap) * together + c % together;
  }

  int vectors_ = 1;  // of sixteen channels that are summed together
  int strip_ = 0;    // pooled rows whose source rows are copied together
  int segment_ = 0;  // windows of a row whose source pixels fit in the first cache
};

SparseWeightsGradient::SparseWeightsGradient(const PooledConv& conv)
    : WeightsGradient(conv),
      vectors_(conv.c % (2 * kLanes) == 0 ? 2 : 1),
      strip_(std::clamp(conv.pooled_h(), 1, kStrip)) {
  const int windows = std::max(conv.pooled_w(), 1);
  const int segments = (windows + kSegmentPixels - 1) / kSegmentPixels;
  segment_ = (windows + segments - 1) / segments;
}

Scratch SparseWeightsGradient::carve(void* scratch) const {
  std::size_t offset = 0;
  const auto take = [&](std::int64_t elements) {
    return static_cast<std::byte*>(scratch) +
           std::exchange(offset, offset + align_up(static_cast<std::size_t>(elements) * sizeof(float)));
  };
  Scratch s{};
  s.padded = reinterpret_cast<float*>(take(std::int64_t{2 * strip_ + 2} * (conv_.w + 2) * conv_.c));
  s.gradients = reinterpret_cast<float*>(take(std::int64_t{conv_.k} * segment_));
  s.places = reinterpret_cast<std::int32_t*>(take(std::int64_t{conv_.k} * segment_));
  s.counts = reinterpret_cast<std::int32_t*>(take(conv_.k));
  s.bytes = offset;
  return s;
}

template <class T>
void SparseWeightsGradient::copy_rows(const T* src, int first, int rows, float* padded) const {
  const std::ptrdiff_t pitch = std::ptrdiff_t{conv_.w + 2} * kLanes;
  const std::ptrdiff_t plane = (2 * strip_ + 2) * pitch;
  for (int row = 0; row < rows; ++row) {
    const int h = first + row;
    for (int c = 0; c < conv_.c; c += kLanes) {
      float* to = padded + c / kLanes * plane + row * pitch;
      if (h < 0 || h >= conv_.h) {
        std::memset(to, 0, static_cast<std::size_t>(pitch) * sizeof(float));
        continue;
      }
      const T* from = src + std::ptrdiff_t{h} * conv_.w * conv_.c + c;
      store(to, _mm512_setzero_ps());
      for (int w = 0; w < conv_.w; ++w) store(to + (w + 1) * kLanes, load(from + std::ptrdiff_t{w} * conv_.c));
      store(to + (conv_.w + 1) * kLanes, _mm512_setzero_ps());
    }
  }
}

template <class T>
void SparseWeightsGradient::list_winners(const T* diff_dst, const std::uint8_t* winners, int windows,
                                         const Scratch& lists, float* diff_bias) const {
  const int pitch = (conv_.w + 2) * kLanes;
  const __m512i place_of_winner =
      _mm512_setr_epi32(0, kLanes, pitch, pitch + kLanes, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  for (int k = 0; k < conv_.k; k += kLanes) {
    const __m512i begin =
        _mm512_mullo_epi32(_mm512_add_epi32(lane_numbers(), _mm512_set1_epi32(k)), _mm512_set1_epi32(segment_));
    __m512i end = begin;
    __m512 sum = _mm512_setzero_ps();
    for (int window = 0; window < windows; ++window) {
      const std::ptrdiff_t at = std::ptrdiff_t{window} * conv_.k + k;
      const __m512 d = load(diff_dst + at);
      const __m512i winner = load_bytes(winners + at);
      const __mmask16 passes = _mm512_cmplt_epi32_mask(winner, _mm512_set1_epi32(kBlocked)) &
                               _mm512_cmp_ps_mask(d, _mm512_setzero_ps(), _CMP_NEQ_UQ);
      const __m512i place =
          _mm512_add_epi32(_mm512_permutexvar_epi32(winner, place_of_winner), _mm512_set1_epi32(2 * window * kLanes));
      _mm512_mask_i32scatter_ps(lists.gradients, passes, end, d, sizeof(float));
      _mm512_mask_i32scatter_epi32(lists.places, passes, end, place, sizeof(std::int32_t));
      end = _mm512_mask_add_epi32(end, passes, end, _mm512_set1_epi32(1));
      sum = _mm512_mask_add_ps(sum, passes, sum, d);
    }
    _mm512_storeu_si512(lists.counts + k, _mm512_sub_epi32(end, begin));
    _mm512_storeu_ps(diff_bias + k, _mm512_add_ps(_mm512_loadu_ps(diff_bias + k), sum));
  }
}

template <int kVectors>
void SparseWeightsGradient::accumulate(const float* corner, const Scratch& lists, float* sums) const {
  const std::ptrdiff_t pitch = std::ptrdiff_t{conv_.w + 2} * kLanes;
  const std::ptrdiff_t plane = (2 * strip_ + 2) * pitch;
  for (int channels = 0; channels < conv_.c / kLanes; channels += kVectors, corner += kVectors * plane) {
    for (int k = 0; k < conv_.k; ++k, sums += kTaps * kVectors * kLanes) {
      const float* gradients = lists.gradients + std::ptrdiff_t{k} * segment_;
      const std::int32_t* places = lists.places + std::ptrdiff_t{k} * segment_;
      const std::int32_t count = lists.counts[k];
      if (count == 0) continue;
      __m512 sum[kTaps * kVectors];
#pragma GCC unroll 18
      for (int i = 0; i < kTaps * kVectors; ++i) sum[i] = _mm512_loadu_ps(sums + i * kLanes);
      for (std::int32_t i = 0; i < count; ++i) {
        const __m512 d = _mm512_set1_ps(gradients[i]);
        const float* pixel = corner + places[i];
#pragma GCC unroll 9
        for (int tap = 0; tap < kTaps; ++tap) {
#pragma GCC unroll 2
          for (int v = 0; v < kVectors; ++v) {
            const __m512 x = _mm512_loadu_ps(pixel + (tap / 3) * pitch + (tap % 3) * kLanes + v * plane);
            sum[tap * kVectors + v] = _mm512_fmadd_ps(d, x, sum[tap * kVectors + v]);
          }
        }
      }
#pragma GCC unroll 18
      for (int i = 0; i < kTaps * kVectors; ++i) _mm512_storeu_ps(sums + i * kLanes, sum[i]);
    }
  }
}

template <class T>
void SparseWeightsGradient::add_picture(const T* src, const T* diff_dst, const std::uint8_t* winners, float* sums,
                                        void* scratch) const {
  const Scratch s = carve(scratch);
  const std::ptrdiff_t pitch = std::ptrdiff_t{conv_.w + 2} * kLanes;
  float* diff_bias = sums + conv_.weight_elements();
  for (int first = 0; first < conv_.pooled_h(); first += strip_) {
    const int rows = std::min(strip_, conv_.pooled_h() - first);
    copy_rows(src, 2 * first - 1, 2 * rows + 2, s.padded);
    for (int row = 0; row < rows; ++row) {
      for (int q = 0; q < conv_.pooled_w(); q += segment_) {
        const std::ptrdiff_t at = (std::ptrdiff_t{first + row} * conv_.pooled_w() + q) * conv_.k;
        list_winners(diff_dst + at, winners + at, std::min(segment_, conv_.pooled_w() - q), s, diff_bias);
        const float* corner = s.padded + 2 * row * pitch + std::ptrdiff_t{2} * q * kLanes;
        if (vectors_ == 2) {
          accumulate<2>(corner, s, sums);
        } else {
          accumulate<1>(corner, s, sums);
        }
      }
    }
  }
}

}  // namespace

std::unique_ptr<WeightsGradient> make_sparse_weights_gradient(const PooledConv& conv) {
  return std::make_unique<SparseWeightsGradient>(conv);
}

}  // namespace cudacards::cpu
#endif
