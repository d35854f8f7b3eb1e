// Both gradients are products of a matrix that is broadcast, diff, with one that is read in vectors along `in`:
//
//                 k          48 of in
//   8 rows      [   ]  x  k [ strip ]   ->  24 sums of 16 lanes = 8 rows x 48
//
//   diff_src      rows n,     k units, strip of weights: 16 units after the other, in place, for a slab of 5 strips
//   diff_weights  rows units, k n,     strip of src, widened: all of N at once
//
// A step of k is 11 loads and 24 multiply-adds, which limit it. diff_src is summed in a slab (N,240) that stays in the
// first cache: so weights are read 960 bytes in a row, and 16 rows at a time, although all rows may lie a multiple of
// 4 KB apart. Copying a strip of all units was 1.5 times as slow: its 128 rows fell into eight places of each cache.
// Large diff_weights bypass the caches: nobody reads them before the optimizer does, and ordinary stores took 1.3 times
// as long with N = 32 and 3 times with N = 1.

#include <algorithm>
#include <utility>

#include "host/ops/cpu/avx512.h"
#include "host/ops/cpu/dense_products.h"
#include "host/runtime/buffer.h"
#include "host/runtime/threads.h"

#if CUDACARDS_AVX512

namespace cudacards::cpu {
namespace {

constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kRows = 8, kVectors = 3, kStrip = kVectors * kLanes;  // of a tile
constexpr std::int64_t kStrips = 5, kSlab = kStrips * kStrip;
constexpr std::int64_t kTogether = 16;            // units whose products are added to a slab of diff_src in one pass
constexpr std::int64_t kLargeElements = 2 << 20;  // 8 MB of diff_weights

std::int64_t blocks(std::int64_t count, std::int64_t of) { return (count + of - 1) / of; }

/// A matrix in memory: row i begins at first + i * pitch.
template <class T>
struct Rows {
  T* first;
  std::ptrdiff_t pitch;
  T* row(std::int64_t i) const { return first + i * pitch; }
};

/// What a tile asks for, so that it is there when its turn comes: a cache line at each step.
struct Ahead {
  std::uintptr_t address = 0;
  std::ptrdiff_t step = 0;  // bytes
};

enum class Write { kSet, kAdd, kStream };  // kStream: set, past the caches; needs 64-byte alignment

/// dst (rows,48) = or += broadcast (k,8)^T * strip (k,48). kHere rows are computed: 8, or 1 where there is no other.
template <Write kWrite, std::int64_t kHere = kRows>
void multiply_tile(std::int64_t k, const float* broadcast, Rows<const float> strip, Ahead ahead, std::int64_t rows,
                   Rows<float> dst) {
  __m512 sum[kHere][kVectors];
#pragma GCC unroll 8
  for (std::int64_t r = 0; r < kHere; ++r) {
#pragma GCC unroll 3
    for (std::int64_t v = 0; v < kVectors; ++v) {
      sum[r][v] = _mm512_setzero_ps();
      if constexpr (kWrite == Write::kAdd) {
        if (r < rows) sum[r][v] = _mm512_loadu_ps(dst.row(r) + v * kLanes);
      }
    }
  }
  const float* from = strip.first;
  for (std::int64_t i = 0; i < k; ++i, broadcast += kRows, from += strip.pitch) {
    prefetch(ahead.address);
    ahead.address += static_cast<std::uintptr_t>(ahead.step);
    __m512 x[kVectors];
#pragma GCC unroll 3
    for (std::int64_t v = 0; v < kVectors; ++v) x[v] = _mm512_loadu_ps(from + v * kLanes);
#pragma GCC unroll 8
    for (std::int64_t r = 0; r < kHere; ++r) {
      const __m512 d = _mm512_set1_ps(broadcast[r]);
#pragma GCC unroll 3
      for (std::int64_t v = 0; v < kVectors; ++v) sum[r][v] = _mm512_fmadd_ps(d, x[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (std::int64_t r = 0; r < kHere; ++r) {
    if (r >= rows) break;
#pragma GCC unroll 3
    for (std::int64_t v = 0; v < kVectors; ++v) {
      float* to = dst.row(r) + v * kLanes;
      if constexpr (kWrite == Write::kStream) {
        _mm512_stream_ps(to, sum[r][v]);
      } else {
        _mm512_storeu_ps(to, sum[r][v]);
      }
    }
  }
}

/// The weights that a slab of diff_src takes next: 16 rows of 15 lines, the first at weights[first]. Each tile asks for
/// a line of every row; where there are fewer tiles, the other lines are asked for at once.
struct NextWeights {
  const float* weights;
  std::int64_t first, pitch;

  Ahead of_tile(std::int64_t tile) const {
    const std::int64_t line = std::min(tile, kStrips * kVectors - 1);
    return {.address = address_of(weights, first + line * kLanes),
            .step = pitch * static_cast<std::ptrdiff_t>(sizeof(float))};
  }
  void ask_for_rest(std::int64_t tiles) const {
    for (std::int64_t line = tiles; line < kStrips * kVectors; ++line) {
      for (std::int64_t row = 0; row < kTogether; ++row) {
        prefetch(address_of(weights, first + row * pitch + line * kLanes));
      }
    }
  }
};

/// dst (count) = or += values, as the mode says. Only what is less than a vector is masked: masked stores are slow.
template <class T>
void put(const float* values, std::int64_t count, GradMode mode, T* dst) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const __m512 x = load(values + i);
    store(dst + i, mode == GradMode::kAccumulate ? _mm512_add_ps(load(dst + i), x) : x);
  }
  if (i == count) return;
  const __mmask16 lanes = first_lanes(count - i);
  const __m512 x = load(values + i);
  store(dst + i, mode == GradMode::kAccumulate ? _mm512_add_ps(load(dst + i, lanes), x) : x, lanes);
}

/// src (rows,count), `pitch` apart -> padded (rows,48), the rest zeros.
template <class T>
void pad(const T* src, std::int64_t pitch, std::int64_t rows, std::int64_t count, float* padded) {
  for (std::int64_t row = 0; row < rows; ++row) {
#pragma GCC unroll 3
    for (std::int64_t i = 0; i < kStrip; i += kLanes) {
      const T* from = src + row * pitch + i;
      store(padded + row * kStrip + i,
            i + kLanes <= count ? load(from) : load(from, first_lanes(std::max<std::int64_t>(count - i, 0))));
    }
  }
}

}  // namespace

DenseBackward::DenseBackward(const DenseSizes& sizes, int threads)
    : sizes_(sizes), threads_(threads), row_blocks_(blocks(sizes.n, kRows)), unit_blocks_(blocks(sizes.units, kRows)) {}

DenseBackward::ThreadScratch DenseBackward::carve_thread(float* scratch) const {
  const std::int64_t sums = row_blocks_ * kRows * kSlab, strip = sizes_.n * kStrip;
  return {scratch, scratch + sums, scratch + sums + strip, sums + strip + kRows * kStrip};
}

DenseBackward::Scratch DenseBackward::carve(void* scratch) const {
  std::size_t offset = 0;
  const auto take = [&](std::int64_t elements) {
    auto* at = static_cast<std::byte*>(scratch) + offset;
    offset += align_up(static_cast<std::size_t>(elements) * sizeof(float));
    return reinterpret_cast<float*>(at);
  };
  Scratch s{};
  s.diff_by_row = take(row_blocks_ * kRows * sizes_.units);
  s.diff_by_unit = take(unit_blocks_ * kRows * sizes_.n);
  s.ragged_weights = take(sizes_.in % kStrip == 0 ? 0 : sizes_.units * kStrip);
  s.of_threads = take(threads_ * carve_thread(nullptr).elements);
  s.bytes = offset;
  return s;
}

template <class D>
void DenseBackward::take_diff(Activation activation, const D* dst, const D* diff_dst, void* scratch) const {
  const Scratch s = carve(scratch);
  std::fill_n(s.diff_by_row, row_blocks_ * kRows * sizes_.units, 0.0f);
  std::fill_n(s.diff_by_unit, unit_blocks_ * kRows * sizes_.n, 0.0f);
  for (std::int64_t n = 0; n < sizes_.n; ++n) {
    for (std::int64_t unit = 0; unit < sizes_.units; ++unit) {
      const std::int64_t i = n * sizes_.units + unit;
      const bool passes =
          activation == Activation::kNone || derivative_from_result(activation, static_cast<float>(dst[i])) != 0.0f;
      const float d = passes ? static_cast<float>(diff_dst[i]) : 0.0f;
      s.diff_by_row[(n / kRows * sizes_.units + unit) * kRows + n % kRows] = d;
      s.diff_by_unit[(unit / kRows * sizes_.n + n) * kRows + unit % kRows] = d;
    }
  }
}

template <class S>
void DenseBackward::run(const DenseGradients<S>& g, void* scratch) const {
  const Scratch s = carve(scratch);
  const bool wants_data = g.diff_src_mode != GradMode::kIgnore;
  const bool wants_weights = g.diff_parameters_mode != GradMode::kIgnore;
  parallel_ranges(blocks(sizes_.in, kSlab), [&](std::int64_t begin, std::int64_t end, int thread) {
    const ThreadScratch mine = carve_thread(s.of_threads + thread * carve_thread(nullptr).elements);
    for (std::int64_t column = begin * kSlab; column < std::min(end * kSlab, sizes_.in); column += kSlab) {
      if (wants_data) data_of_slab(g, column, s, mine.sums);
      if (!wants_weights) continue;
      for (std::int64_t strip = column; strip < std::min(column + kSlab, sizes_.in); strip += kStrip) {
        weights_of_strip(g, strip, s.diff_by_unit, mine);
      }
    }
    _mm_sfence();  // what went past the caches is seen by whoever waits for this thread
  });
  if (wants_weights && g.diff_bias) bias(s.diff_by_unit, g.diff_parameters_mode, g.diff_bias);
}

template <class S>
void DenseBackward::data_of_slab(const DenseGradients<S>& g, std::int64_t column, const Scratch& s, float* sums) const {
  const std::int64_t width = std::min(kSlab, sizes_.in - column);
  const std::int64_t whole = width / kStrip, strips = blocks(width, kStrip);
  if (whole < strips) {
    pad(g.weights + column + whole * kStrip, sizes_.in, sizes_.units, width % kStrip, s.ragged_weights);
  }
  for (std::int64_t unit = 0; unit < sizes_.units; unit += kTogether) {
    const std::int64_t count = std::min(kTogether, sizes_.units - unit);
    const std::int64_t next_unit = unit + kTogether;
    const std::int64_t next = next_unit < sizes_.units ? next_unit * sizes_.in + column : column + kSlab;
    const NextWeights next_weights{g.weights, next, sizes_.in};
    next_weights.ask_for_rest(row_blocks_ * strips);
    for (std::int64_t tile = 0; tile < row_blocks_ * strips; ++tile) {
      const std::int64_t block = tile / strips, strip = tile % strips;
      const Rows<const float> weights =
          strip < whole ? Rows<const float>{g.weights + unit * sizes_.in + column + strip * kStrip, sizes_.in}
                        : Rows<const float>{s.ragged_weights + unit * kStrip, kStrip};
      const float* diff = s.diff_by_row + (block * sizes_.units + unit) * kRows;
      const Rows<float> dst{sums + tile * kRows * kStrip, kStrip};
      const Ahead ahead = next_weights.of_tile(tile);
      if (sizes_.n - block * kRows == 1) {
        const auto multiply = unit == 0 ? multiply_tile<Write::kSet, 1> : multiply_tile<Write::kAdd, 1>;
        multiply(count, diff, weights, ahead, 1, dst);
      } else {
        const auto multiply = unit == 0 ? multiply_tile<Write::kSet> : multiply_tile<Write::kAdd>;
        multiply(count, diff, weights, ahead, kRows, dst);
      }
    }
  }
  for (std::int64_t n = 0; n < sizes_.n; ++n) {
    for (std::int64_t strip = 0; strip < strips; ++strip) {
      const float* values = sums + ((n / kRows * strips + strip) * kRows + n % kRows) * kStrip;
      put(values, std::min(kStrip, width - strip * kStrip), g.diff_src_mode,
          g.diff_src + n * sizes_.in + column + strip * kStrip);
    }
  }
}

template <class S>
void DenseBackward::weights_of_strip(const DenseGradients<S>& g, std::int64_t column, const float* diff_by_unit,
                                     const ThreadScratch& mine) const {
  const std::int64_t width = std::min(kStrip, sizes_.in - column);
  pad(g.src + column, sizes_.in, sizes_.n, width, mine.strip);
  const bool accumulates = g.diff_parameters_mode == GradMode::kAccumulate;
  const bool streams = sizes_.units * sizes_.in >= kLargeElements && sizes_.in % kLanes == 0 &&
                       reinterpret_cast<std::uintptr_t>(g.diff_weights) % kAlignment == 0;
  const std::int64_t line = kAlignment / static_cast<std::int64_t>(sizeof(S));
  for (std::int64_t block = 0; block < unit_blocks_; ++block) {
    const float* diff = diff_by_unit + block * sizes_.n * kRows;
    const std::int64_t rows = std::min(kRows, sizes_.units - block * kRows);
    const Rows<const float> src{mine.strip, kStrip};
    const Rows<float> dst{g.diff_weights + block * kRows * sizes_.in + column, sizes_.in};
    // The first tiles ask for the next strip of src.
    const std::int64_t asked = std::min(block * line, kStrip);
    const Ahead ahead{.address = address_of(g.src, column + kStrip + asked),
                      .step = sizes_.in * static_cast<std::ptrdiff_t>(sizeof(S))};
    if (width < kStrip) {
      multiply_tile<Write::kSet>(sizes_.n, diff, src, ahead, kRows, {mine.tile, kStrip});
      for (std::int64_t r = 0; r < rows; ++r) {
        put(mine.tile + r * kStrip, width, g.diff_parameters_mode, dst.row(r));
      }
    } else if (accumulates) {
      multiply_tile<Write::kAdd>(sizes_.n, diff, src, ahead, rows, dst);
    } else if (streams) {
      multiply_tile<Write::kStream>(sizes_.n, diff, src, ahead, rows, dst);
    } else {
      multiply_tile<Write::kSet>(sizes_.n, diff, src, ahead, rows, dst);
    }
  }
}

void DenseBackward::bias(const float* diff_by_unit, GradMode mode, float* diff_bias) const {
  for (std::int64_t unit = 0; unit < sizes_.units; ++unit) {
    float sum = 0;
    for (std::int64_t n = 0; n < sizes_.n; ++n) {
      sum += diff_by_unit[(unit / kRows * sizes_.n + n) * kRows + unit % kRows];
    }
    diff_bias[unit] = mode == GradMode::kAccumulate ? diff_bias[unit] + sum : sum;
  }
}

template void DenseBackward::take_diff(Activation, const float*, const float*, void*) const;
template void DenseBackward::take_diff(Activation, const Bf16*, const Bf16*, void*) const;
template void DenseBackward::run(const DenseGradients<float>&, void*) const;
template void DenseBackward::run(const DenseGradients<Bf16>&, void*) const;

}  // namespace cudacards::cpu
#endif
