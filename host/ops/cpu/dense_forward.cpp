// `in` is cut into slabs of 512. The source's slab is laid out as the tiles read it, widened where it is bf16; then
// each block of 8 units is multiplied with all rows while its 16 KB of weights stay in the first cache:
//
//             512 of in                8 units
//   3 rows  [ 32 steps of 16 lanes ] x [ the same 32 steps ]^T  ->  24 sums of 16 lanes -> 3 x 8 sums
//
// A step is 11 loads and 24 multiply-adds, which limit it. What the next block reads is asked for meanwhile. 32 parts,
// each a run of slabs, have sums of their own that are added in order.
// Did not pay: slabs of 2048 (a slab of 32 rows no longer stays in the second cache: 1.6 times the time).

#include <algorithm>
#include <array>
#include <utility>

#include "host/ops/cpu/avx512.h"
#include "host/ops/cpu/dense_products.h"
#include "host/runtime/buffer.h"
#include "host/runtime/threads.h"

#if CUDACARDS_AVX512

namespace cudacards::cpu {
namespace {

constexpr std::int64_t kLanes = 16, kLine = 64;  // a line is 16 floats
constexpr std::int64_t kRows = 3, kUnits = 8;    // of a tile
constexpr std::int64_t kSteps = 32;              // of a slab
constexpr std::int64_t kSlab = kSteps * kLanes;
constexpr std::int64_t kParts = 32;

std::int64_t blocks(std::int64_t count, std::int64_t of) { return (count + of - 1) / of; }

/// Eight vectors -> the sum of each one's lanes, as a tree: 25 instructions.
inline __m256 sums_of_lanes(const __m512 (&v)[kUnits]) {
  __m512 pairs[4], quads[2];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    pairs[i] = _mm512_add_ps(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]), _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const __m512d a = _mm512_castps_pd(pairs[2 * i]), b = _mm512_castps_pd(pairs[2 * i + 1]);
    quads[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  }
  // Each quarter of quads[i] holds sums 4i .. 4i+3 of its four lanes.
  const __m512 halves = _mm512_add_ps(_mm512_shuffle_f32x4(quads[0], quads[1], _MM_SHUFFLE(1, 0, 1, 0)),
                                      _mm512_shuffle_f32x4(quads[0], quads[1], _MM_SHUFFLE(3, 2, 3, 2)));
  const __m512 sums = _mm512_add_ps(_mm512_shuffle_f32x4(halves, halves, _MM_SHUFFLE(0, 0, 2, 0)),
                                    _mm512_shuffle_f32x4(halves, halves, _MM_SHUFFLE(0, 0, 3, 1)));
  return _mm512_castps512_ps256(sums);
}

using UnitRows = std::array<const float*, kUnits>;

/// sums (3,8) += rows (3, 16 * steps) * weights (8, 16 * steps)^T; rows as lay_out() leaves them. kHere rows are
/// computed: 3, or 1 where there is no other. Asks for a line of what comes next at each step.
template <std::int64_t kHere>
void add_tile(std::int64_t steps, const float* rows, const UnitRows& weights, std::uintptr_t ahead, float* sums,
              std::ptrdiff_t pitch) {
  __m512 sum[kHere][kUnits];
#pragma GCC unroll 3
  for (auto& of_row : sum) {
#pragma GCC unroll 8
    for (__m512& s : of_row) s = _mm512_setzero_ps();
  }
  for (std::int64_t step = 0; step < steps; ++step) {
    prefetch(ahead + static_cast<std::uintptr_t>(step * kLine));
    __m512 x[kHere];
#pragma GCC unroll 3
    for (std::int64_t r = 0; r < kHere; ++r) x[r] = _mm512_load_ps(rows + (step * kRows + r) * kLanes);
#pragma GCC unroll 8
    for (std::size_t u = 0; u < kUnits; ++u) {
      __m512 w = _mm512_loadu_ps(weights[u] + step * kLanes);
      asm("" : "+v"(w));  // one load for three multiply-adds: GCC would repeat it inside each of them
#pragma GCC unroll 3
      for (std::int64_t r = 0; r < kHere; ++r) sum[r][u] = _mm512_fmadd_ps(x[r], w, sum[r][u]);
    }
  }
#pragma GCC unroll 3
  for (std::int64_t r = 0; r < kHere; ++r) {
    float* to = sums + r * pitch;
    _mm256_storeu_ps(to, _mm256_add_ps(_mm256_loadu_ps(to), sums_of_lanes(sum[r])));
  }
}

}  // namespace

DenseForward::DenseForward(const DenseSizes& sizes, int threads)
    : sizes_(sizes),
      threads_(threads),
      slabs_(slabs(sizes)),
      parts_(std::min(slabs_, kParts)),
      row_blocks_(blocks(sizes.n, kRows)),
      pitch_(blocks(sizes.units, kUnits) * kUnits) {}

std::int64_t DenseForward::slabs(const DenseSizes& sizes) { return blocks(sizes.in, kSlab); }
std::int64_t DenseForward::rows_elements() const { return row_blocks_ * kRows * kSlab; }
std::int64_t DenseForward::partial_elements() const { return row_blocks_ * kRows * pitch_; }

DenseForward::Scratch DenseForward::carve(void* scratch) const {
  std::size_t offset = 0;
  const auto take = [&](std::int64_t elements) {
    auto* at = static_cast<std::byte*>(scratch) + offset;
    offset += align_up(static_cast<std::size_t>(elements) * sizeof(float));
    return reinterpret_cast<float*>(at);
  };
  Scratch s{};
  s.partial = take(parts_ * partial_elements());
  s.rows = take(threads_ * rows_elements());
  s.ragged_weights = take(sizes_.in % kLanes == 0 ? 0 : sizes_.units * kLanes);
  s.bytes = offset;
  return s;
}

template <class S>
const float* DenseForward::run(const S* src, const float* weights, void* scratch) const {
  const Scratch s = carve(scratch);
  parallel_ranges(parts_, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t part = begin; part < end; ++part) {
      float* sums = s.partial + part * partial_elements();
      std::fill_n(sums, partial_elements(), 0.0f);
      for (std::int64_t slab = slabs_ * part / parts_; slab < slabs_ * (part + 1) / parts_; ++slab) {
        add_slab(src, weights, slab, s.rows + thread * rows_elements(), s.ragged_weights, sums);
      }
    }
  });
  add_parts(s.partial);
  return s.partial;
}

template <class S>
void DenseForward::add_slab(const S* src, const float* weights, std::int64_t slab, float* rows, float* ragged_weights,
                            float* sums) const {
  const std::int64_t first = slab * kSlab, width = std::min(kSlab, sizes_.in - first);
  const std::int64_t steps = width / kLanes, rest = width % kLanes;
  if (steps > 0) {
    lay_out(src + first, steps, kLanes, rows);
    multiply(src + first, steps, weights + first, sizes_.in, rows, sums);
  }
  if (rest == 0) return;
  const std::int64_t ragged = first + steps * kLanes;
  lay_out(src + ragged, 1, rest, rows);
  for (std::int64_t u = 0; u < sizes_.units; ++u) {
    store(ragged_weights + u * kLanes, load(weights + u * sizes_.in + ragged, first_lanes(rest)));
  }
  multiply(src + ragged, 1, ragged_weights, kLanes, rows, sums);
}

/// src (N, steps * 16) -> rows (N/3, steps, 3, 16), `lanes` of each step and zeros; zeros also for rows beyond N.
template <class S>
void DenseForward::lay_out(const S* src, std::int64_t steps, std::int64_t lanes, float* rows) const {
  for (std::int64_t n = 0; n < row_blocks_ * kRows; ++n) {
    float* to = rows + (n / kRows * steps * kRows + n % kRows) * kLanes;
    for (std::int64_t step = 0; step < steps; ++step) {
      const S* from = src + n * sizes_.in + step * kLanes;
      store(to + step * kRows * kLanes, n < sizes_.n ? load(from, first_lanes(lanes)) : _mm512_setzero_ps());
    }
  }
}

/// sums += rows * weights^T; weights (units, 16 * steps), `pitch` elements from one to the next.
template <class S>
void DenseForward::multiply(const S* src, std::int64_t steps, const float* weights, std::int64_t pitch,
                            const float* rows, float* sums) const {
  const std::int64_t unit_blocks = blocks(sizes_.units, kUnits);
  for (std::int64_t block = 0; block < unit_blocks; ++block) {
    UnitRows unit_rows;  // the last unit stands in for those that do not exist; their sums are nobody's
    for (std::int64_t u = 0; u < kUnits; ++u) {
      unit_rows[static_cast<std::size_t>(u)] = weights + std::min(block * kUnits + u, sizes_.units - 1) * pitch;
    }
    for (std::int64_t tile = 0; tile < row_blocks_; ++tile) {
      const auto add = sizes_.n - tile * kRows == 1 ? add_tile<1> : add_tile<kRows>;
      add(steps, rows + tile * steps * kRows * kLanes, unit_rows, ahead_of(src, weights, block, tile),
          sums + tile * kRows * pitch_ + block * kUnits, pitch_);
    }
  }
}

/// What a tile asks for: one row of the next block's weights, or, from the ninth tile on, of the source's next slab.
/// With fewer rows the processor finds the weights in time by itself.
template <class S>
std::uintptr_t DenseForward::ahead_of(const S* src, const float* weights, std::int64_t block, std::int64_t tile) const {
  if (tile < kUnits) {
    const std::int64_t unit = (block + 1) * kUnits + tile;
    return unit < pitch_ ? address_of(weights, unit * sizes_.in) : address_of(weights, tile * sizes_.in + kSlab);
  }
  const std::int64_t row = block * (row_blocks_ - kUnits) + tile - kUnits;
  return address_of(src, std::min(row, sizes_.n - 1) * sizes_.in + kSlab);
}

/// The first part becomes the sum of all, in their order.
void DenseForward::add_parts(float* partial) const {
  if (parts_ == 1) return;
  parallel_ranges(row_blocks_ * kRows, [&](std::int64_t begin, std::int64_t end, int) {
    float* sums = partial + begin * pitch_;
    for (std::int64_t part = 1; part < parts_; ++part) {
      const float* addend = sums + part * partial_elements();
#pragma GCC ivdep
      for (std::int64_t i = 0; i < (end - begin) * pitch_; ++i) sums[i] += addend[i];
    }
  });
}

template const float* DenseForward::run(const float*, const float*, void*) const;
template const float* DenseForward::run(const Bf16*, const float*, void*) const;

}  // namespace cudacards::cpu
#endif
