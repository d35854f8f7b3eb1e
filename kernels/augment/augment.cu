// dst[n] = normalised(erased(lit(warped(picture)))), picture = pictures[indices[n]], blurred by a pass before (blur.cu)
//
//   pictures (D,H,W,3) uint8, transforms (N), dst (N,H,W,3) fp32 or bf16; pieces as in piece.cuh
//   thread t: pixels t, t + 256, t + 512, t + 768 of a piece
//   each: its point in the source -> two rows of two neighbours, 6 bytes each, by two or three aligned words ->
//   bilinear -> light -> erase -> normalise
//   three fp32 into shared memory (3 words between lanes: no conflicts), barrier, then out by fours: 16 bytes a lane
//   (bf16: 8) in one run
//
// A picture whose transform is the identity takes rescale_piece() instead: exactly pixel * scale + offset.
//
// Moves 3 + 12 (3 + 6) bytes a pixel at best; about 90 operations a pixel and their issue are the limit beside the
// bytes. A byte of the source is read up to four times; the first cache serves all but the first time. Lanes of a
// turned row touch many rows of the source: six or seven sectors a load at 10 degrees. That price is paid in the cache,
// and it is why a pixel takes 5 loads (on average, 4 to 6) of words and not 12 of bytes.
//
// Left out: pictures as 32-bit RGBX, as the CPU has them (4 loads a pixel, but 7 bytes more to move in a pass before);
// the tile's source in shared memory (a turned tile's bounding box holds two to three times its pixels).

#include <cstdint>
#include <string>
#include <type_traits>

#include "kernels/augment/augment.h"
#include "kernels/augment/blur.h"
#include "kernels/augment/piece.cuh"
#include "kernels/augment/rescale.h"
#include "kernels/base/arrays.h"
#include "kernels/simt/shared.h"

namespace cudacards {
namespace {

static_assert(std::is_trivially_copyable_v<ImageTransform>, "the host's bytes are the device's");

struct PieceTile {
  alignas(16) float values[kPieceValues];
};

/// The members of an array of the host's: operator[] of std::array is the host's alone.
template <class T, std::size_t kCount>
__device__ __forceinline__ const T* members(const std::array<T, kCount>& array) {
  static_assert(sizeof array == kCount * sizeof(T));
  return reinterpret_cast<const T*>(&array);
}

/// Into 0..last; NaN, from a point on the horizon of a homography, becomes 0.
__device__ __forceinline__ float clamped(Ieee x, float last) {
  const float positive = x.value > 0.0f ? x.value : 0.0f;
  return positive < last ? positive : last;
}

/// A destination pixel's upper left neighbour in the source, steps to the others in values, and how far away it is.
struct Point {
  int upper_left, right, below;
  float fraction_x, fraction_y;
};

__device__ __forceinline__ Point source_point(const ImageTransform& transform, const PictureBatchProblem& p, int x,
                                              int y) {
  const float* m = members(transform.source_from_destination);
  const auto column = static_cast<float>(x), row = static_cast<float>(y);
  Ieee source_x = Ieee(m[0]) * column + (Ieee(m[1]) * row + m[2]);
  Ieee source_y = Ieee(m[3]) * column + (Ieee(m[4]) * row + m[5]);
  const bool is_affine = m[6] == 0 && m[7] == 0 && m[8] == 1;  // the same in the whole block
  if (!is_affine) {
    const Ieee inverse = Ieee(1.0f) / (Ieee(m[6]) * column + (Ieee(m[7]) * row + m[8]));
    source_x = source_x * inverse;
    source_y = source_y * inverse;
  }
  const float inside_x = clamped(source_x, static_cast<float>(p.w - 1));
  const float inside_y = clamped(source_y, static_cast<float>(p.h - 1));
  const int left = static_cast<int>(inside_x), top = static_cast<int>(inside_y);
  return {.upper_left = (top * p.w + left) * kPictureChannels,
          .right = left < p.w - 1 ? kPictureChannels : 0,
          .below = top < p.h - 1 ? p.w * kPictureChannels : 0,
          .fraction_x = inside_x - static_cast<float>(left),
          .fraction_y = inside_y - static_cast<float>(top)};
}

/// Two neighbours of a row, six bytes: the left pixel's channels in bits 0, 8, 16, the right one's in 24, 32, 40; with
/// `right` 0 only the left pixel. Pictures of whole words are read by words, aligned, none that lies beyond the last.
template <int kVector>
__device__ __forceinline__ std::uint64_t load_pair(const unsigned char* left, int right) {
  std::uint64_t bytes = 0;
  if constexpr (kVector == 4) {
    const int offset = static_cast<int>(reinterpret_cast<std::uintptr_t>(left) & 3);
    const auto* words = reinterpret_cast<const std::uint32_t*>(left - offset);
    const int last = offset + right + kPictureChannels - 1;
    bytes = load_vector<1>(words)[0];
    if (last >= 4) bytes |= std::uint64_t{load_vector<1>(words + 1)[0]} << 32;
    bytes >>= 8 * offset;
    if (last >= 8) bytes |= std::uint64_t{load_vector<1>(words + 2)[0]} << 40;  // offset 3: five bytes are there
  } else {
#pragma unroll
    for (int i = 0; i < kPictureChannels; ++i)
      bytes |= std::uint64_t{left[i]} << 8 * i | std::uint64_t{left[right + i]} << 8 * (right + i);
  }
  return bytes;
}

__device__ __forceinline__ Ieee channel_of(std::uint64_t pixel, int channel) {
  return to_float(static_cast<unsigned char>(pixel >> 8 * channel));
}

/// The four pixels around a point.
struct Neighbours {
  std::uint64_t upper_left, upper_right, lower_left, lower_right;
};

template <int kVector>
__device__ __forceinline__ Neighbours load_neighbours(const unsigned char* src, const Point& at) {
  const std::uint64_t upper = load_pair<kVector>(src + at.upper_left, at.right);
  const std::uint64_t lower = load_pair<kVector>(src + at.upper_left + at.below, at.right);
  return {upper, upper >> 8 * at.right, lower, lower >> 8 * at.right};
}

__device__ __forceinline__ Ieee bilinear(const Neighbours& pixels, const Point& at, int channel) {
  const Ieee upper_left = channel_of(pixels.upper_left, channel), lower_left = channel_of(pixels.lower_left, channel);
  const Ieee upper = upper_left + at.fraction_x * (channel_of(pixels.upper_right, channel) - upper_left);
  const Ieee lower = lower_left + at.fraction_x * (channel_of(pixels.lower_right, channel) - lower_left);
  return upper + at.fraction_y * (lower - upper);
}

__device__ __forceinline__ float lit(Ieee value, const ImageTransform& transform) {
  return clamped((value - 127.5f) * transform.contrast + (Ieee(127.5f) + transform.brightness), 255.0f);
}

__device__ __forceinline__ bool is_erased(const ImageTransform::Rectangle& area, int x, int y) {
  return x >= area.x && x < area.x + area.width && y >= area.y && y < area.y + area.height;
}

/// The three values of destination pixel (y, x).
template <int kVector>
__device__ __forceinline__ void view_pixel(const unsigned char* src, const ImageTransform& transform,
                                           const PictureBatchProblem& p, int x, int y, float* values) {
  const bool erased = is_erased(transform.erase, x, y);
  const Point at = source_point(transform, p, x, y);
  const Neighbours pixels = load_neighbours<kVector>(src, at);
#pragma unroll
  for (int c = 0; c < kPictureChannels; ++c) {
    const float pixel = erased ? to_float(members(transform.erase_colour)[c]) : lit(bilinear(pixels, at, c), transform);
    values[c] = normalised(pixel, p.normalisation);
  }
}

template <int kVector, class T>
__device__ __forceinline__ void store_piece(const PieceTile& tile, int first, int values, T* dst) {
#pragma unroll
  for (int i = 0; i < kPieceValues / (kPieceThreads * kVector); ++i) {
    const int at = kVector * (i * kPieceThreads + static_cast<int>(threadIdx.x));
    if (first + at >= values) return;
    const auto wide = load_vector<kVector>(tile.values + at);
    Vec<T, kVector> result;
#pragma unroll
    for (int j = 0; j < kVector; ++j) result[j] = from_float<T>(wide[j]);
    store_vector(dst + first + at, result);
  }
}

template <class T, int kVector>
__global__ void __launch_bounds__(kPieceThreads) augment_kernel(PictureBatchProblem p, AugmentArgs a) {
  const int n = static_cast<int>(blockIdx.y);
  const int first = static_cast<int>(blockIdx.x) * kPiecePixels;
  const unsigned char* src = picture_of_batch(a.pictures, a.indices, n, p);
  T* dst = static_cast<T*>(a.dst) + n * p.picture_values();
  const ImageTransform transform = a.transforms[n];
  if (transform.is_identity) {
    rescale_piece<kVector>(src, first * kPictureChannels, p, dst);
    return;
  }
  if (transform.blur_sigma > 0 && a.blurred != nullptr) src = a.blurred + n * p.picture_values();

  PieceTile& tile = shared<PieceTile>();
#pragma unroll
  for (int i = 0; i < kPiecePixels / kPieceThreads; ++i) {
    const int place = i * kPieceThreads + static_cast<int>(threadIdx.x);
    const int pixel = first + place;
    if (pixel >= p.h * p.w) break;
    view_pixel<kVector>(src, transform, p, pixel % p.w, pixel / p.w, tile.values + place * kPictureChannels);
  }
  __syncthreads();  // every value of the piece is there
  store_piece<kVector>(tile, first * kPictureChannels, static_cast<int>(p.picture_values()), dst);
}

template <class T>
Status start(const PictureBatchProblem& p, const AugmentArgs& args, Stream stream) {
  return width_of(p.picture_values()) == Width::kFour
             ? launch(augment_kernel<T, 4>, grid_of_pieces(p, stream), p, args)
             : launch(augment_kernel<T, 1>, grid_of_pieces(p, stream), p, args);
}

}  // namespace

Verdict augment_supports(const PictureBatchProblem& problem, DType type) { return rescale_supports(problem, type); }

Status augment(const PictureBatchProblem& problem, DType type, const AugmentArgs& args, Stream stream) {
  if (const Verdict verdict = augment_supports(problem, type); !verdict)
    return Status::failed("augment: " + verdict.reason());
  if (problem.n == 0) return Status::ok();
  if (Status status = check_arrays(
          "augment",
          {{"pictures", args.pictures}, {"transforms", args.transforms, alignof(ImageTransform)}, {"dst", args.dst}},
          {{"blurred", args.blurred}, {"indices", args.indices, 4}});
      !status)
    return status;
  if (args.blurred != nullptr) {
    if (Status blurred = blur_pictures(problem, args, stream); !blurred) return blurred;
  }
  return type == DType::kF32 ? start<float>(problem, args, stream) : start<__nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards
