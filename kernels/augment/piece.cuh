#pragma once
// A block's piece of a picture: neighbours in reading order, wherever the rows break, so that what is written lies in
// one run. For .cu files.
//
//   picture n, H x W     |== piece 0: 1024 pixels, 3072 values ==|== piece 1 ==|== ... |= rest =|
//   grid                 x: piece, y: picture of the batch

#include <cstdint>

#include "kernels/augment/problem.h"
#include "kernels/augment/tuning.h"
#include "kernels/base/stream.h"
#include "kernels/simt/ieee.h"
#include "kernels/simt/launch.h"
#include "kernels/simt/numeric.h"
#include "kernels/simt/vector.h"

namespace cudacards {

constexpr int kPieceThreads = kPieceTuning.threads;
constexpr int kPiecePixels = kPieceTuning.pixels;
constexpr int kPieceValues = kPiecePixels * kPictureChannels;
static_assert(kPiecePixels % kPieceThreads == 0 && kPieceValues % (4 * kPieceThreads) == 0, "no thread idles");

/// How many values one instruction moves. Four need pictures of a multiple of four values: then every picture begins on
/// a multiple of four bytes, and in dst of 16 (fp32) or 8 (bf16).
enum class Width : int { kOne = 1, kFour = 4 };

inline Width width_of(std::int64_t values) { return values % 4 == 0 ? Width::kFour : Width::kOne; }

__device__ __forceinline__ float normalised(Ieee pixel, Normalisation normalisation) {
  return (pixel * normalisation.scale + normalisation.offset).value;
}

/// Picture `n` of the batch. Null `indices`: the pictures in their order.
__device__ __forceinline__ const unsigned char* picture_of_batch(const std::uint8_t* pictures,
                                                                 const std::int32_t* indices, int n,
                                                                 const PictureBatchProblem& p) {
  const std::int64_t index = indices == nullptr ? n : indices[n];
  return pictures + index * p.picture_values();
}

/// dst = src * scale + offset for the values from `first` on: 4 bytes a lane in, 16 or 8 out.
template <int kVector, class T>
__device__ __forceinline__ void rescale_piece(const unsigned char* src, int first, const PictureBatchProblem& p,
                                              T* dst) {
  const int values = static_cast<int>(p.picture_values());
#pragma unroll
  for (int i = 0; i < kPieceValues / (kPieceThreads * kVector); ++i) {
    const int at = first + kVector * (i * kPieceThreads + static_cast<int>(threadIdx.x));
    if (at >= values) return;
    const auto pixels = load_vector<kVector>(src + at);
    Vec<T, kVector> result;
#pragma unroll
    for (int j = 0; j < kVector; ++j) result[j] = from_float<T>(normalised(to_float(pixels[j]), p.normalisation));
    store_vector(dst + at, result);
  }
}

inline LaunchConfig grid_of_pieces(const PictureBatchProblem& p, Stream stream) {
  const auto pieces = static_cast<unsigned>((p.picture_pixels() + kPiecePixels - 1) / kPiecePixels);
  return {.grid = dim3(pieces, static_cast<unsigned>(p.n)),
          .block = dim3(kPieceThreads),
          .shared_bytes = 0,
          .stream = stream};
}

}  // namespace cudacards
