#pragma once
// How depthwise kernels share out their work. For .cu files.
//
//   grid.y: chunks of at most 8 groups of kWidth channels (8 of 16 bytes: 128 neighbouring bytes of a pixel)
//   grid.x: runs of strips; a strip is 4 neighbouring pixels of a line, the lines of all pictures follow each other
//
//   block:            group 0   group 1  ...  group 7
//     strip y = 0     thread 0  thread 1 ...  thread 7       a warp has 8 groups of 4 strips: whole sectors, and rows
//     strip y = 1     thread 8  ...                          that lie over each other meet in the block's first cache
//     ...
//
// A chunk is never 9 groups wide or more, so that the 8 lanes that shared memory serves together lie in 32 banks.

#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/depthwise/depthwise.h"
#include "kernels/simt/channels.h"
#include "kernels/simt/launch.h"

namespace cudacards::depthwise {

constexpr int kThreads = 256;
constexpr int kBlocksOfProcessor = 2;  // or more: at most 128 registers a thread. Without this ptxas aims at more
                                       // blocks and spills
constexpr int kMostGroups = 8;
constexpr int kStrip = 4;

struct Tiling {
  int groups = 1, rows = 1;     // threads of a block: a row of groups for each strip
  unsigned strips_of_line = 1;  // strips in a line of pixels
  unsigned strips = 1;          // in all lines of all pictures
  unsigned strips_per_block = 1;
  unsigned blocks = 1, chunks = 1;  // the grid

  int threads() const { return groups * rows; }
};

inline Tiling tiling_of(int channels, int width, std::int64_t lines, int pixels_of_line, unsigned most_blocks) {
  Tiling t;
  const int groups = channels / width;
  t.chunks = static_cast<unsigned>((groups + kMostGroups - 1) / kMostGroups);
  t.groups = static_cast<int>((static_cast<unsigned>(groups) + t.chunks - 1) / t.chunks);
  t.rows = kThreads / t.groups;
  t.strips_of_line = static_cast<unsigned>((pixels_of_line + kStrip - 1) / kStrip);
  t.strips = static_cast<unsigned>(lines) * t.strips_of_line;
  const auto rows = static_cast<unsigned>(t.rows);
  const unsigned useful = (t.strips + rows - 1) / rows;  // blocks that go round once
  t.blocks = std::clamp(most_blocks / t.chunks, 1u, useful);
  t.strips_per_block = (useful + t.blocks - 1) / t.blocks * rows;
  t.blocks = (t.strips + t.strips_per_block - 1) / t.strips_per_block;
  return t;
}

inline LaunchConfig grid_of(const Tiling& t, int floats, Stream stream) {
  return {.grid = dim3(t.blocks, t.chunks),
          .block = dim3(static_cast<unsigned>(t.threads())),
          .shared_bytes = static_cast<std::size_t>(floats) * sizeof(float),
          .stream = stream};
}

/// A thread's place in its block, and its first channel.
struct Seat {
  int group, row, channel;
};
template <int kWidth>
__device__ __forceinline__ Seat seat_of(const Tiling& t) {
  const int thread = static_cast<int>(threadIdx.x), group = thread % t.groups;
  return {group, thread / t.groups, (static_cast<int>(blockIdx.y) * t.groups + group) * kWidth};
}

/// Calls visit(line, index of the strip in it) for each of the thread's strips, first to last.
template <class Visit>
__device__ __forceinline__ void visit_strips(const Tiling& t, const Seat& seat, const Visit& visit) {
  const unsigned first = blockIdx.x * t.strips_per_block, end = min(first + t.strips_per_block, t.strips);
  for (unsigned strip = first + seat.row; strip < end; strip += t.rows)
    visit(static_cast<int>(strip / t.strips_of_line), static_cast<int>(strip % t.strips_of_line));
}

/// The filters of a block's channels in shared memory: one ChannelTile a tap, the block's groups as seats.
template <int kWidth>
struct FilterTile {
  using Tile = ChannelTile<kWidth>;
  int groups;
  float* taps;

  /// From tap to tap: 4 banks on, so that the taps of one channel lie in 8 different places.
  __host__ __device__ static constexpr int stride(int groups) { return Tile::floats(groups) + 4; }
  static constexpr int floats(int groups, int taps) { return taps * stride(groups); }

  __device__ Channels<kWidth> tap(int index, int group) const {
    return Tile::load(taps + index * stride(groups), groups, group);
  }

  /// Tap i % kTaps of channel i / kTaps from values[i]: neighbouring threads read neighbours. The stores lie up to
  /// 2 (3x3) or 4 (5x5) deep on a bank, once a block: a vector of channels keeps its taps apart by a multiple of 4
  /// banks.
  template <int kTaps>
  __device__ void stage(int first_tap, int channels, const float* values) const {
    for (int i = static_cast<int>(threadIdx.x); i < channels * kTaps; i += static_cast<int>(blockDim.x)) {
      const int channel = i / kTaps;
      float* tile = taps + (first_tap + i % kTaps) * stride(groups);
      tile[Tile::at(groups, channel / kWidth, channel % kWidth)] = values[i];
    }
  }

  /// The same value for every channel of a tap.
  __device__ void fill(int tap, int channels, float value) const {
    for (int i = static_cast<int>(threadIdx.x); i < channels; i += static_cast<int>(blockDim.x))
      taps[tap * stride(groups) + Tile::at(groups, i / kWidth, i % kWidth)] = value;
  }
};

/// Pixel `column` of a line of `columns` pixels, or zeros outside of it.
template <int kWidth, class T>
__device__ __forceinline__ Channels<kWidth> pixel_or_zeros(const T* line, int column, int columns, int channels) {
  if (column < 0 || column >= columns) return {};
  return load_channels<kWidth>(line + std::int64_t{column} * channels);
}

template <int kWidth>
__device__ __forceinline__ void add_product(Channels<kWidth>& sum, const Channels<kWidth>& a,
                                            const Channels<kWidth>& b) {
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sum[i] = fmaf(a[i], b[i], sum[i]);
}

/// run(T{}, width, filter, stride) as the problem asks for, which is supported. A width is what one 16-byte load holds,
/// but at most kWidest3 (3x3) or kWidest5 (5x5): as many channels as a thread has registers for. One where C is no
/// multiple of 16 bytes.
template <int kValue>
struct Number {
  static constexpr int value = kValue;
};
template <int kWidest3, int kWidest5, class Run>
Status for_shape(const Conv2dProblem& p, DType type, const Run& run) {
  const auto by_stride = [&](auto t, auto width, auto filter) {
    return p.stride_h == 1 ? run(t, width, filter, Number<1>{}) : run(t, width, filter, Number<2>{});
  };
  const auto by_width = [&]<class T>(T t) {
    if (p.c % kPack<T> != 0)
      return p.r == 3 ? by_stride(t, Number<1>{}, Number<3>{}) : by_stride(t, Number<1>{}, Number<5>{});
    if (p.r == 3) return by_stride(t, Number<std::min(kWidest3, kPack<T>)>{}, Number<3>{});
    return by_stride(t, Number<std::min(kWidest5, kPack<T>)>{}, Number<5>{});
  };
  return type == DType::kF32 ? by_width(float{}) : by_width(__nv_bfloat16{});
}

}  // namespace cudacards::depthwise
