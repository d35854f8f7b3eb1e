#pragma once
// What the launchers of pooling kernels have in common. For .cu files.

#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/base/arrays.h"
#include "kernels/base/sizes.h"
#include "kernels/pool/pool.h"
#include "kernels/simt/channels.h"
#include "kernels/simt/launch.h"

namespace cudacards::pool {

constexpr int kThreads = 256;
constexpr std::int64_t kMostItems = std::int64_t{1} << 31;  // an item's index has 32 bits

/// An item is what a thread computes at once: kWidth neighbouring channels of one pixel.
inline LaunchConfig grid_of(std::int64_t items, const PoolTuning& tuning, Stream stream) {
  const std::int64_t blocks = std::min<std::int64_t>((items + kThreads - 1) / kThreads, tuning.most_blocks);
  return {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads), .shared_bytes = 0, .stream = stream};
}

inline Verdict supports_type(DType type) {
  if (type == DType::kF32 || type == DType::kBf16) return Verdict::yes();
  return Verdict::no(std::string("no pooling of ") + name_of(type));
}

inline Verdict supports_windows(const Pool2dProblem& p, DType type) {
  if (Verdict verdict = supports_type(type); !verdict) return verdict;
  if (std::min({p.n, p.h, p.w, p.c, p.window_h, p.window_w, p.stride_h, p.stride_w}) < 1)
    return Verdict::no("sizes, windows and strides must be 1 or more");
  if (p.window_h > p.h || p.window_w > p.w) return Verdict::no("the window is larger than the picture");
  if (product_exceeds(kMostItems, {p.n, p.h, p.w, p.c})) return Verdict::no("more than 2^31 elements");
  return Verdict::yes();
}

/// run(T{}, width): with the storage type and with as many channels a thread as one 16-byte load holds, or one where C
/// is no multiple of that.
template <int kChannels>
struct Width {
  static constexpr int kValue = kChannels;
};
template <class Run>
Status for_type_and_width(DType type, int c, const Run& run) {
  if (type == DType::kF32) {
    if (c % kPack<float> == 0) return run(float{}, Width<kPack<float>>{});
    return run(float{}, Width<1>{});
  }
  if (c % kPack<__nv_bfloat16> == 0) return run(__nv_bfloat16{}, Width<kPack<__nv_bfloat16>>{});
  return run(__nv_bfloat16{}, Width<1>{});
}

/// run(T{}, width, winner): also with the type in which a max pool keeps a winner. Large windows take one channel a
/// thread.
template <class Run>
Status for_type_width_and_winner(DType type, const Pool2dProblem& p, const Run& run) {
  if (p.winner_bytes() == 1)
    return for_type_and_width(type, p.c, [&](auto t, auto width) { return run(t, width, std::uint8_t{}); });
  if (type == DType::kF32) return run(float{}, Width<1>{}, std::uint32_t{});
  return run(__nv_bfloat16{}, Width<1>{}, std::uint32_t{});
}

/// An item's place in (rows, columns, groups of channels), the last fastest.
struct Place {
  unsigned picture, row, column, group;
};
__device__ __forceinline__ Place place_of(unsigned item, unsigned rows, unsigned columns, unsigned groups) {
  const unsigned pixel = item / groups, line = pixel / columns;
  return {line / rows, line % rows, pixel % columns, item % groups};
}

}  // namespace cudacards::pool
