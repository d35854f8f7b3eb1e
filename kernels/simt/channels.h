#pragma once
// Neighbouring channels of one pixel (NHWC) in one thread: loaded by one instruction, computed in fp32.

#include "kernels/base/grad_mode.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"

namespace cudacards {

/// How many elements one 16-byte load moves.
template <class T>
constexpr int kPack = 16 / static_cast<int>(sizeof(T));

template <int kWidth>
struct Channels {
  float v[kWidth];
  __device__ float& operator[](int i) { return v[i]; }
  __device__ const float& operator[](int i) const { return v[i]; }
};

template <int kWidth, class T>
__device__ __forceinline__ Channels<kWidth> load_channels(const T* from) {
  const Vec<T, kWidth> stored = load_vector<kWidth>(from);
  Channels<kWidth> channels;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) channels[i] = to_float(stored[i]);
  return channels;
}

template <class T, int kWidth>
__device__ __forceinline__ void store_channels(T* to, const Channels<kWidth>& channels) {
  Vec<T, kWidth> stored;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) stored[i] = from_float<T>(channels[i]);
  store_vector(to, stored);
}

/// Writes a gradient the way it was asked for; never called with kIgnore.
template <class T, int kWidth>
__device__ __forceinline__ void put_channels(GradMode mode, T* to, Channels<kWidth> gradient) {
  if (mode == GradMode::kAccumulate) {
    const Channels<kWidth> before = load_channels<kWidth>(to);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) gradient[i] += before[i];
  }
  store_channels(to, gradient);
}

/// Channels of several seats (threads, or groups of channels) in shared memory, in parts of 16 bytes:
///
///   part 0:  seat 0: channels 0-3 | seat 1: 0-3 | seat 2: 0-3 | ...
///   part 1:  seat 0: channels 4-7 | seat 1: 4-7 | ...             kPitch floats further on, 16 banks away
///
/// so that neighbouring seats move neighbouring 16 bytes, and 32 channels in order lie in 32 banks.
template <int kWidth>
struct ChannelTile {
  static_assert(kWidth == 1 || kWidth == 2 || kWidth == 4 || kWidth == 8);
  static constexpr int kPart = kWidth < 4 ? kWidth : 4;
  static constexpr int kParts = kWidth / kPart;

  __host__ __device__ static constexpr int pitch(int seats) { return (seats * kPart + 31) / 32 * 32 + 16; }
  __host__ __device__ static constexpr int floats(int seats) { return kParts * pitch(seats); }
  /// Where the tile keeps channel `channel` (0 ... kWidth - 1) of a seat.
  __device__ static __forceinline__ int at(int seats, int seat, int channel) {
    return channel / kPart * pitch(seats) + seat * kPart + channel % kPart;
  }

  __device__ static __forceinline__ Channels<kWidth> load(const float* tile, int seats, int seat) {
    Channels<kWidth> channels;
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      const auto four = load_vector<kPart>(tile + at(seats, seat, part * kPart));
#pragma unroll
      for (int i = 0; i < kPart; ++i) channels[part * kPart + i] = four[i];
    }
    return channels;
  }

  __device__ static __forceinline__ void store(float* tile, int seats, int seat, const Channels<kWidth>& channels) {
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      Vec<float, kPart> four;
#pragma unroll
      for (int i = 0; i < kPart; ++i) four[i] = channels[part * kPart + i];
      store_vector(tile + at(seats, seat, part * kPart), four);
    }
  }
};

}  // namespace cudacards
