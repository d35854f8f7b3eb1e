#include "host/ops/cpu/pointwise_products.h"

#include <algorithm>

#include "host/ops/cpu/lanes.h"
#include "host/ops/cpu/with_activation.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards::cpu {

std::int64_t outer_sum_elements(const PointwiseSizes& sizes, int threads) {
  return sizes.narrow * sizes.wide * threads;
}

#if CUDACARDS_AVX512

namespace {

constexpr std::int64_t kChunk = 64;                    // pixels whose narrow rows lie in the first cache as floats
constexpr int kPixels = 8, kVectors = 3, kNarrow = 8;  // 8 x 3 sums fill the registers, with what is multiplied

/// The narrow rows of a chunk as floats: where they are, or a copy.
class NarrowRows {
 public:
  const float* of(const float* rows, std::int64_t) { return rows; }
  const float* of(const Bf16* rows, std::int64_t elements) {
    in_lanes(elements, [=, this](auto lanes, std::int64_t i) { put(copy_ + i, take<decltype(lanes)>(rows + i)); });
    return copy_;
  }

 private:
  alignas(64) float copy_[kChunk * kMostNarrow];
};

/// Calls body(group, size) for groups of kMost and what is left over one by one, each size a compile-time constant.
template <int kMost, class Body>
void in_groups(std::int64_t count, Body body) {
  std::int64_t i = 0;
  for (; i + kMost <= count; i += kMost) body(i, std::integral_constant<int, kMost>());
  for (; i < count; ++i) body(i, std::integral_constant<int, 1>());
}

/// sum += the product of a column, left[0], left[step], ..., and a row of vectors.
template <int kRows, int kColumns, class T>
inline void add_outer(const float* left, std::int64_t step, const T* right, Lanes (&sum)[kRows][kColumns]) {
  Lanes row[kColumns];
#pragma GCC unroll 3
  for (int v = 0; v < kColumns; ++v) row[v] = take<Lanes>(right + 16 * v);
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    const Lanes x = everywhere<Lanes>(left[i * step]);
#pragma GCC unroll 3
    for (int v = 0; v < kColumns; ++v) sum[i][v] = multiply_add(x, row[v], sum[i][v]);
  }
}

/// A tile of dst: `src` (pixels, narrow), `weights` from the tile's first channel on.
template <int kRows, int kColumns, Activation kActivation, class T>
inline void widen_tile(const PointwiseSizes& sizes, const float* src, const float* weights, const float* bias,
                       bool accumulates, bool streams, T* dst) {
  Lanes sum[kRows][kColumns];
#pragma GCC unroll 3
  for (int v = 0; v < kColumns; ++v) {
    const Lanes start = bias ? take<Lanes>(bias + 16 * v) : everywhere<Lanes>(0.0f);
#pragma GCC unroll 8
    for (int p = 0; p < kRows; ++p) sum[p][v] = start;
  }
  for (std::int64_t n = 0; n < sizes.narrow; ++n) add_outer(src + n, sizes.narrow, weights + n * sizes.wide, sum);
#pragma GCC unroll 8
  for (int p = 0; p < kRows; ++p) {
#pragma GCC unroll 3
    for (int v = 0; v < kColumns; ++v) {
      T* place = dst + p * sizes.wide + 16 * v;
      Lanes result = activated<kActivation>(sum[p][v]);
      if (accumulates) result = result + take<Lanes>(place);
      if (streams) {
        stream(place, result);
      } else {
        put(place, result);
      }
    }
  }
}

/// sums (narrow, wide) of some rows and columns += what the chunk gives.
template <int kRows, int kColumns, class T>
inline void add_outer_tile(const PointwiseSizes& sizes, std::int64_t pixels, const float* narrow_rows,
                           const T* wide_rows, float* sums) {
  Lanes sum[kRows][kColumns];
#pragma GCC unroll 8
  for (int n = 0; n < kRows; ++n) {
#pragma GCC unroll 3
    for (int v = 0; v < kColumns; ++v) sum[n][v] = everywhere<Lanes>(0.0f);
  }
  for (std::int64_t p = 0; p < pixels; ++p)
    add_outer(narrow_rows + p * sizes.narrow, 1, wide_rows + p * sizes.wide, sum);
#pragma GCC unroll 8
  for (int n = 0; n < kRows; ++n) {
#pragma GCC unroll 3
    for (int v = 0; v < kColumns; ++v) {
      float* place = sums + n * sizes.wide + 16 * v;
      put(place, take<Lanes>(place) + sum[n][v]);
    }
  }
}

}  // namespace

bool supports_pointwise_products(const PointwiseSizes& sizes) {
  return sizes.narrow <= kMostNarrow && sizes.wide % 16 == 0;
}

template <class T>
void widen(const PointwiseSizes& sizes, const T* src, const float* weights, const float* bias, Activation activation,
           GradMode mode, T* dst) {
  const bool accumulates = mode == GradMode::kAccumulate;
  // Whole rows at a time go past the caches where they would not stay there.
  const bool streams = !accumulates && sizes.wide <= 16 * kVectors && streams_to(dst, sizes.pixels * sizes.wide);
  with_activation(activation, [&](auto kind) {
    parallel_ranges((sizes.pixels + kChunk - 1) / kChunk, [&](std::int64_t begin, std::int64_t end, int) {
      NarrowRows rows;
      for (std::int64_t first = begin * kChunk; first < std::min(end * kChunk, sizes.pixels); first += kChunk) {
        const std::int64_t pixels = std::min(kChunk, sizes.pixels - first);
        const float* narrow = rows.of(src + first * sizes.narrow, pixels * sizes.narrow);
        in_groups<kVectors>(sizes.wide / 16, [&](std::int64_t v, auto columns) {
          in_groups<kPixels>(pixels, [&](std::int64_t p, auto tile_rows) {
            widen_tile<tile_rows(), columns(), decltype(kind)::value>(
                sizes, narrow + p * sizes.narrow, weights + 16 * v, bias ? bias + 16 * v : nullptr, accumulates,
                streams, dst + (first + p) * sizes.wide + 16 * v);
          });
        });
      }
      drain();
    });
  });
}

template <class T>
void add_outer_products(const PointwiseSizes& sizes, const T* narrow_rows, const T* wide_rows, float* sums) {
  const std::int64_t chunks = (sizes.pixels + kChunk - 1) / kChunk, each = sizes.narrow * sizes.wide;
  std::fill_n(sums, outer_sum_elements(sizes, threads()), 0.0f);
  parallel_ranges(chunks, [&](std::int64_t begin, std::int64_t end, int thread) {
    NarrowRows rows;
    float* mine = sums + thread * each;
    for (std::int64_t first = begin * kChunk; first < std::min(end * kChunk, sizes.pixels); first += kChunk) {
      const std::int64_t pixels = std::min(kChunk, sizes.pixels - first);
      const float* narrow = rows.of(narrow_rows + first * sizes.narrow, pixels * sizes.narrow);
      in_groups<kVectors>(sizes.wide / 16, [&](std::int64_t v, auto columns) {
        in_groups<kNarrow>(sizes.narrow, [&](std::int64_t n, auto tile_rows) {
          add_outer_tile<tile_rows(), columns()>(sizes, pixels, narrow + n, wide_rows + first * sizes.wide + 16 * v,
                                                 mine + n * sizes.wide + 16 * v);
        });
      });
    }
  });
  for (int thread = 1; thread < threads(); ++thread) {
    for (std::int64_t i = 0; i < each; ++i) sums[i] += sums[thread * each + i];
  }
}

#else

bool supports_pointwise_products(const PointwiseSizes&) { return false; }

template <class T>
void widen(const PointwiseSizes&, const T*, const float*, const float*, Activation, GradMode, T*) {
  CUDACARDS_CHECK(false, "built without AVX-512");
}
template <class T>
void add_outer_products(const PointwiseSizes&, const T*, const T*, float*) {
  CUDACARDS_CHECK(false, "built without AVX-512");
}

#endif

template void widen(const PointwiseSizes&, const float*, const float*, const float*, Activation, GradMode, float*);
template void widen(const PointwiseSizes&, const Bf16*, const float*, const float*, Activation, GradMode, Bf16*);
template void add_outer_products(const PointwiseSizes&, const float*, const float*, float*);
template void add_outer_products(const PointwiseSizes&, const Bf16*, const Bf16*, float*);

}  // namespace cudacards::cpu
