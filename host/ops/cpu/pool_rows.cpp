#include "host/ops/cpu/pool_rows.h"

#include <cstddef>

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

template <Activation kActivation, class T>
void pool_window(const float* __restrict top, const float* __restrict bottom, int k, T* __restrict dst) {
  for (int i = 0; i < k; ++i) {
    const Best best = best_of_window<T>(top + i, bottom + i, k);
    dst[i] = static_cast<T>(apply(kActivation, best.value));
  }
}

template <Activation kActivation, class T>
void pool_window(const float* __restrict top, const float* __restrict bottom, int k, T* __restrict dst,
                 std::uint8_t* __restrict winners) {
  for (int i = 0; i < k; ++i) {
    const Best best = best_of_window<T>(top + i, bottom + i, k);
    const T result = static_cast<T>(apply(kActivation, best.value));
    dst[i] = result;
    // Judged by the result as it is stored, as a separate activation would be.
    const bool passes = derivative_from_result(kActivation, static_cast<float>(result)) != 0.0f;
    winners[i] = static_cast<std::uint8_t>(passes ? best.winner : std::int32_t{kBlocked});
  }
}

template <Activation kActivation, class T>
void pool(const float* conv, int rows, int width, int k, T* dst, std::uint8_t* winners) {
  const std::ptrdiff_t pitch = std::ptrdiff_t{width} * k;
  for (int row = 0; row < rows; ++row) {
    for (int q = 0; q < width / 2; ++q) {
      const float* top = conv + 2 * row * pitch + std::ptrdiff_t{2} * q * k;
      const std::ptrdiff_t at = (std::ptrdiff_t{row} * (width / 2) + q) * k;
      if (winners) {
        pool_window<kActivation>(top, top + pitch, k, dst + at, winners + at);
      } else {
        pool_window<kActivation>(top, top + pitch, k, dst + at);
      }
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
