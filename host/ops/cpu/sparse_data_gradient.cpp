// A picture is taken in strips of pooled rows. For each strip
//   1. list_winners: for each block of filters, window and place in the window, the (gradient, filter) pairs that won
//   there;
//   2. scatter: for each sixteen channels and block of filters (whose 64 * 9 vectors of weights, 36 KB, stay in the
//   first cache) and each
//      place: nine sums <- sums buffer, sums += gradient * weights for the pairs of its list, nine sums -> buffer;
//   3. flush: rows that no later winner reaches go to diff_src; the last two move to the top for the next strip.
// Limit: 9 fused multiply-adds need 11 loads, so 5.5 cycles a winner and sixteen channels against 36 * 0.5 of the dense
// convolution.

#include "host/ops/cpu/avx512.h"
#include "host/ops/cpu/data_gradient.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "host/runtime/buffer.h"
#include "host/runtime/error.h"

#if CUDACARDS_AVX512

namespace cudacards::cpu {
namespace {

constexpr int kTaps = 9;
constexpr int kFilterBlock = 64;
constexpr int kPlaces = 4;
constexpr int kStripWindows = 128;  // so that sums and lists of a strip share the second cache

/// sums (C/16, 2 * strip + 2, W + 2, 16), zeros around the picture included. The lists of a block of filters begin at
/// block * windows * block size; inside, places follow one another without gaps, and `counts` (blocks, windows, places)
/// tells them apart.
struct Scratch {
  float* sums;
  float* gradients;
  std::int32_t* filters;  // offset of the filter's weights inside the packed sixteen channels
  std::int32_t* counts;
  std::size_t bytes;
};

class SparseDataGradient final : public DataGradient {
 public:
  explicit SparseDataGradient(const PooledConv& conv);
  std::size_t scratch_bytes() const override { return carve(nullptr).bytes; }
  void run(const float* diff_dst, const std::uint8_t* winners, const float* packed, GradMode mode, float* diff_src,
           void* scratch) const override {
    run_picture(diff_dst, winners, packed, mode, diff_src, scratch);
  }
  void run(const Bf16* diff_dst, const std::uint8_t* winners, const float* packed, GradMode mode, Bf16* diff_src,
           void* scratch) const override {
    run_picture(diff_dst, winners, packed, mode, diff_src, scratch);
  }

 private:
  Scratch carve(void* scratch) const;
  template <class T>
  void run_picture(const T* diff_dst, const std::uint8_t* winners, const float* packed, GradMode mode, T* diff_src,
                   void* scratch) const;
  template <class T>
  void list_winners(const T* diff_dst, const std::uint8_t* winners, int rows, const Scratch& lists) const;
  void scatter(const float* packed, int rows, const Scratch& lists) const;
  template <class T>
  void flush(const float* sums, int rows, GradMode mode, T* diff_src) const;

  int strip_ = 0;         // pooled rows that are worked on together
  int filter_block_ = 0;  // filters whose weights for sixteen channels fit in the first cache
};

SparseDataGradient::SparseDataGradient(const PooledConv& conv)
    : DataGradient(conv),
      strip_(std::clamp(kStripWindows / std::max(conv.pooled_w(), 1), 1, std::max(conv.pooled_h(), 1))),
      filter_block_(std::min(conv.k, kFilterBlock)) {}

Scratch SparseDataGradient::carve(void* scratch) const {
  const auto windows = static_cast<std::size_t>(strip_) * static_cast<std::size_t>(conv_.pooled_w());
  const auto blocks = static_cast<std::size_t>((conv_.k + filter_block_ - 1) / filter_block_);
  const auto pairs = windows * blocks * static_cast<std::size_t>(filter_block_) + kLanes;
  std::size_t offset = 0;
  const auto take = [&](std::size_t bytes) {
    return static_cast<std::byte*>(scratch) + std::exchange(offset, offset + align_up(bytes));
  };
  Scratch s{};
  s.sums =
      reinterpret_cast<float*>(take(static_cast<std::size_t>(2 * strip_ + 2) * static_cast<std::size_t>(conv_.w + 2) *
                                    static_cast<std::size_t>(conv_.c) * sizeof(float)));
  s.gradients = reinterpret_cast<float*>(take(pairs * sizeof(float)));
  s.filters = reinterpret_cast<std::int32_t*>(take(pairs * sizeof(std::int32_t)));
  s.counts = reinterpret_cast<std::int32_t*>(take(blocks * windows * kPlaces * sizeof(std::int32_t)));
  s.bytes = offset;
  return s;
}

template <class T>
void SparseDataGradient::list_winners(const T* diff_dst, const std::uint8_t* winners, int rows,
                                      const Scratch& lists) const {
  constexpr int kVectors = kFilterBlock / kLanes;
  const int windows = rows * conv_.pooled_w();
  std::int32_t* counts = lists.counts;
  for (int block = 0; block < conv_.k; block += filter_block_) {
    const int vectors = std::min(filter_block_, conv_.k - block) / kLanes;
    float* gradients = lists.gradients + std::ptrdiff_t{block} * strip_ * conv_.pooled_w();
    std::int32_t* filters = lists.filters + std::ptrdiff_t{block} * strip_ * conv_.pooled_w();
    __m512i offsets[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const __m512i k = _mm512_add_epi32(lane_numbers(), _mm512_set1_epi32(block + v * kLanes));
      offsets[v] = _mm512_mullo_epi32(k, _mm512_set1_epi32(kTaps * kLanes));
    }
    for (int window = 0; window < windows; ++window) {
      const std::ptrdiff_t at = std::ptrdiff_t{window} * conv_.k + block;
      __m512 d[kVectors];
      __m512i where[kVectors];
      for (int v = 0; v < vectors; ++v) {
        d[v] = load(diff_dst + at + v * kLanes);
        // A gradient of zero won nowhere.
        const __mmask16 zero = _mm512_cmp_ps_mask(d[v], _mm512_setzero_ps(), _CMP_EQ_OQ);
        where[v] = _mm512_mask_mov_epi32(load_bytes(winners + at + v * kLanes), zero, _mm512_set1_epi32(kBlocked));
      }
      for (int place = 0; place < kPlaces; ++place) {
        std::int32_t count = 0;
        for (int v = 0; v < vectors; ++v) {
          const __mmask16 here = _mm512_cmpeq_epi32_mask(where[v], _mm512_set1_epi32(place));
          _mm512_storeu_ps(gradients + count, _mm512_maskz_compress_ps(here, d[v]));
          _mm512_storeu_si512(filters + count, _mm512_maskz_compress_epi32(here, offsets[v]));
          count += std::popcount(static_cast<unsigned>(here));
        }
        gradients += count;
        filters += count;
        *counts++ = count;
      }
    }
  }
}

/// Sums of the nine taps around one place, over the filters that won there.
inline void add_place(const float* weights, const float* gradients, const std::int32_t* filters, std::int32_t count,
                      float* sums, std::ptrdiff_t pitch) {
  __m512 sum[kTaps];
#pragma GCC unroll 9
  for (int tap = 0; tap < kTaps; ++tap) sum[tap] = _mm512_loadu_ps(sums + (tap / 3) * pitch + (tap % 3) * kLanes);
  for (std::int32_t i = 0; i < count; ++i) {
    const __m512 d = _mm512_set1_ps(gradients[i]);
    const float* filter = weights + filters[i];
#pragma GCC unroll 9
    for (int tap = 0; tap < kTaps; ++tap)
      sum[tap] = _mm512_fmadd_ps(d, _mm512_loadu_ps(filter + tap * kLanes), sum[tap]);
  }
#pragma GCC unroll 9
  for (int tap = 0; tap < kTaps; ++tap) _mm512_storeu_ps(sums + (tap / 3) * pitch + (tap % 3) * kLanes, sum[tap]);
}

void SparseDataGradient::scatter(const float* packed, int rows, const Scratch& lists) const {
  const std::ptrdiff_t pitch = std::ptrdiff_t{conv_.w + 2} * kLanes;
  const std::ptrdiff_t plane = (2 * strip_ + 2) * pitch;
  for (int channels = 0; channels < conv_.c / kLanes; ++channels) {
    const float* weights = packed + std::ptrdiff_t{channels} * conv_.k * kTaps * kLanes;
    const std::int32_t* counts = lists.counts;
    for (int block = 0; block < conv_.k; block += filter_block_) {
      const float* gradients = lists.gradients + std::ptrdiff_t{block} * strip_ * conv_.pooled_w();
      const std::int32_t* filters = lists.filters + std::ptrdiff_t{block} * strip_ * conv_.pooled_w();
      for (int row = 0; row < rows; ++row) {
        float* corner = lists.sums + channels * plane + 2 * row * pitch;
        for (int q = 0; q < conv_.pooled_w(); ++q, corner += 2 * kLanes) {
          for (int place = 0; place < kPlaces; ++place) {
            const std::int32_t count = *counts++;
            if (count == 0) continue;
            add_place(weights, gradients, filters, count, corner + (place / 2) * pitch + (place % 2) * kLanes, pitch);
            gradients += count;
            filters += count;
          }
        }
      }
    }
  }
}

template <class T>
void SparseDataGradient::flush(const float* sums, int rows, GradMode mode, T* diff_src) const {
  const std::ptrdiff_t pitch = std::ptrdiff_t{conv_.w + 2} * kLanes;
  const std::ptrdiff_t plane = (2 * strip_ + 2) * pitch;
  for (int row = 0; row < rows; ++row) {
    for (int w = 0; w < conv_.w; ++w) {
      for (int c = 0; c < conv_.c; c += kLanes, diff_src += kLanes) {
        __m512 sum = _mm512_loadu_ps(sums + c / kLanes * plane + row * pitch + (w + 1) * kLanes);
        if (mode == GradMode::kAccumulate) sum = _mm512_add_ps(load(diff_src), sum);
        store(diff_src, sum);
      }
    }
  }
}

template <class T>
void SparseDataGradient::run_picture(const T* diff_dst, const std::uint8_t* winners, const float* packed, GradMode mode,
                                     T* diff_src, void* scratch) const {
  const Scratch s = carve(scratch);
  const std::ptrdiff_t pitch = std::ptrdiff_t{conv_.w + 2} * kLanes;
  const std::ptrdiff_t plane = (2 * strip_ + 2) * pitch;
  std::memset(s.sums, 0, static_cast<std::size_t>(plane * conv_.c / kLanes) * sizeof(float));
  int flushed = -1;  // the row of the picture that the buffer begins with: the zeros above it are row -1
  for (int first = 0; first < conv_.pooled_h(); first += strip_) {
    const int rows = std::min(strip_, conv_.pooled_h() - first);
    const std::ptrdiff_t at = std::ptrdiff_t{first} * conv_.pooled_w() * conv_.k;
    list_winners(diff_dst + at, winners + at, rows, s);
    scatter(packed, rows, s);

    const bool last = first + rows == conv_.pooled_h();
    const int begin = flushed < 0 ? 1 : 0;
    // The last strip also gives the rows below it: one that it reaches, and with an odd height one of zeros.
    const int end = last ? std::min(2 * rows + 2, conv_.h - flushed) : 2 * rows;
    flush(s.sums + begin * pitch, end - begin, mode, diff_src + std::ptrdiff_t{flushed + begin} * conv_.w * conv_.c);
    flushed += end;
    if (last) break;
    for (int c = 0; c < conv_.c / kLanes; ++c) {
      float* sums = s.sums + c * plane;
      std::memcpy(sums, sums + 2 * rows * pitch, static_cast<std::size_t>(2 * pitch) * sizeof(float));
      std::memset(sums + 2 * pitch, 0, static_cast<std::size_t>(plane - 2 * pitch) * sizeof(float));
    }
  }
}

}  // namespace

std::unique_ptr<DataGradient> make_sparse_data_gradient(const PooledConv& conv) {
  return std::make_unique<SparseDataGradient>(conv);
}

}  // namespace cudacards::cpu
#endif
