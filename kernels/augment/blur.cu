// blurred[n] = pictures[indices[n]] under a Gaussian of radius r = min(ceil(3 sigma), 30), where sigma > 0
//
//   pictures (D,H,W,3), blurred (N,H,W,3), uint8. Separable: columns, then rows; edge pixels are repeated; the result
//   is rounded to 8 bits as a blurred picture's file would be. The order of sums is the CPU's
//   (host/ops/augment_pixels.cpp).
//
//   one block, a tile of 64 x 16 pixels:
//        r      64      r
//     +-----+--------+-----+            1. weights: a thread each, summed in order
//     |     |        |     | 16 rows    2. columns: a warp a row of the tile, 4 values a lane, 2 r + 1 rows of the
//     +-----+--------+-----+               picture a value (from the first cache), fp32, into shared memory
//         columns (shared)              3. rows: a thread a pixel, 2 r + 1 neighbours of it in shared memory
//                                       4. bytes go out by fours
//
// Moves 2 bytes a value from and to memory. About 6 (2 r + 1) (1 + r / 64) operations a value and half as many loads:
// with sigma = 1 the loads from the caches are the limit. Few pictures of a batch are blurred; the blocks of the others
// end at once.

#include <cstdint>

#include "kernels/augment/blur.h"
#include "kernels/augment/piece.cuh"
#include "kernels/simt/shared.h"
#include "kernels/simt/warp.h"

namespace cudacards {
namespace {

constexpr int kThreads = kBlurTuning.threads;
constexpr int kTileWidth = kBlurTuning.width, kTileHeight = kBlurTuning.height;
constexpr int kTileValues = kTileWidth * kPictureChannels;
// With the halo, and rounded outwards to whole vectors.
constexpr int kColumns = ((kTileWidth + 2 * kMaxBlurRadius) * kPictureChannels + 2 * 3 + 3) / 4 * 4;
static_assert(kTileWidth % kWarpSize == 0, "a warp's pixels lie in one row");
static_assert(kTileHeight % (kThreads / kWarpSize) == 0 && kTileWidth * kTileHeight % kThreads == 0, "no thread idles");
static_assert(kThreads > kMaxBlurRadius, "a thread a weight");

struct BlurTile {
  alignas(16) float columns[kTileHeight][kColumns];
  alignas(16) unsigned char pixels[kTileHeight][kTileValues];
  float bells[kMaxBlurRadius + 1];    // exp(-i^2 / (2 sigma^2))
  float weights[kMaxBlurRadius + 1];  // bells over their sum
};
static_assert(sizeof(BlurTile) <= 48 * 1024, "static shared memory");

/// Where a block's tile and the columns that it needs lie in the picture.
struct Place {
  int x, y;   // of the tile
  int width;  // of the picture, in pixels; the tile may reach beyond
  int height;
  int columns, columns_end;  // in values of a row: the tile and its halo, cut to the picture
};

template <int kVector>
__device__ __forceinline__ Place place_of(const PictureBatchProblem& p, int radius) {
  const int across = (p.w + kTileWidth - 1) / kTileWidth;
  const int tile = static_cast<int>(blockIdx.x);
  Place place = {.x = tile % across * kTileWidth, .y = tile / across * kTileHeight, .width = p.w, .height = p.h};
  const int first = max(place.x - radius, 0) * kPictureChannels;
  const int end = min(place.x + kTileWidth + radius, p.w) * kPictureChannels;
  place.columns = first / kVector * kVector;
  place.columns_end = (end + kVector - 1) / kVector * kVector;  // a row is a whole number of vectors
  return place;
}

/// Half of a normalised Gaussian into tile.weights; [0] is the middle.
__device__ __forceinline__ void find_weights(float sigma, int radius, BlurTile& tile) {
  const int i = static_cast<int>(threadIdx.x);
  if (i <= radius) tile.bells[i] = expf((Ieee(-0.5f) * static_cast<float>(i * i) / (Ieee(sigma) * sigma)).value);
  __syncthreads();  // all bells are there
  if (i <= radius) {
    Ieee sum = 0.0f;
    for (int j = 0; j <= radius; ++j) sum = sum + (j == 0 ? Ieee(tile.bells[j]) : Ieee(2.0f) * tile.bells[j]);
    tile.weights[i] = (tile.bells[i] / sum).value;
  }
  __syncthreads();  // all weights are there
}

template <int kVector>
__device__ __forceinline__ void blur_columns(const unsigned char* picture, const Place& at, int radius,
                                             BlurTile& tile) {
  const int row_values = at.width * kPictureChannels;
  for (int row = warp_index(); row < kTileHeight && at.y + row < at.height; row += kThreads / kWarpSize) {
    for (int column = at.columns + kVector * lane_index(); column < at.columns_end; column += kVector * kWarpSize) {
      const auto values_of_row = [&](int y) {
        const int inside = min(max(y, 0), at.height - 1);
        return load_vector<kVector>(picture + std::int64_t{inside} * row_values + column);
      };
      const auto middle = values_of_row(at.y + row);
      Vec<float, kVector> sum;
#pragma unroll
      for (int i = 0; i < kVector; ++i) sum[i] = (Ieee(tile.weights[0]) * to_float(middle[i])).value;
#pragma unroll 2
      for (int j = 1; j <= radius; ++j) {
        const auto above = values_of_row(at.y + row - j), below = values_of_row(at.y + row + j);
#pragma unroll
        for (int i = 0; i < kVector; ++i)
          sum[i] = (sum[i] + Ieee(tile.weights[j]) * static_cast<float>(above[i] + below[i])).value;
      }
      store_vector(&tile.columns[row][column - at.columns], sum);
    }
  }
}

__device__ __forceinline__ void blur_rows(const Place& at, int radius, BlurTile& tile) {
  for (int i = static_cast<int>(threadIdx.x); i < kTileWidth * kTileHeight; i += kThreads) {
    const int row = i / kTileWidth, x = at.x + i % kTileWidth;
    if (at.y + row >= at.height || x >= at.width) continue;
    const float* columns = tile.columns[row];
    const int middle = x * kPictureChannels - at.columns;
    Ieee sum[kPictureChannels] = {0.0f, 0.0f, 0.0f};
#pragma unroll
    for (int c = 0; c < kPictureChannels; ++c) sum[c] = Ieee(tile.weights[0]) * columns[middle + c] + 0.5f;
    for (int j = 1; j <= radius; ++j) {
      const float* left = columns + max(x - j, 0) * kPictureChannels - at.columns;
      const float* right = columns + min(x + j, at.width - 1) * kPictureChannels - at.columns;
#pragma unroll
      for (int c = 0; c < kPictureChannels; ++c) sum[c] = sum[c] + tile.weights[j] * (Ieee(left[c]) + right[c]);
    }
#pragma unroll
    for (int c = 0; c < kPictureChannels; ++c)
      tile.pixels[row][i % kTileWidth * kPictureChannels + c] = static_cast<unsigned char>(sum[c].value);
  }
}

template <int kVector>
__device__ __forceinline__ void store_tile(const Place& at, const BlurTile& tile, unsigned char* dst) {
  const int values = min(kTileWidth, at.width - at.x) * kPictureChannels;
  for (int row = warp_index(); row < kTileHeight && at.y + row < at.height; row += kThreads / kWarpSize) {
    unsigned char* to = dst + (std::int64_t{at.y + row} * at.width + at.x) * kPictureChannels;
    for (int i = kVector * lane_index(); i < values; i += kVector * kWarpSize)
      store_vector(to + i, load_vector<kVector>(&tile.pixels[row][i]));
  }
}

template <int kVector>
__global__ void __launch_bounds__(kThreads) blur_kernel(PictureBatchProblem p, AugmentArgs a) {
  const int n = static_cast<int>(blockIdx.y);
  const ImageTransform& transform = a.transforms[n];
  const float sigma = transform.blur_sigma;
  if (transform.is_identity || !(sigma > 0)) return;

  BlurTile& tile = shared<BlurTile>();
  const int radius = min(static_cast<int>(ceilf((Ieee(3.0f) * sigma).value)), kMaxBlurRadius);
  const Place at = place_of<kVector>(p, radius);
  find_weights(sigma, radius, tile);
  blur_columns<kVector>(picture_of_batch(a.pictures, a.indices, n, p), at, radius, tile);
  __syncthreads();  // every column of the tile and its halo is there
  blur_rows(at, radius, tile);
  __syncthreads();  // every pixel is there
  store_tile<kVector>(at, tile, a.blurred + n * p.picture_values());
}

}  // namespace

Status blur_pictures(const PictureBatchProblem& p, const AugmentArgs& args, Stream stream) {
  const int tiles = ((p.w + kTileWidth - 1) / kTileWidth) * ((p.h + kTileHeight - 1) / kTileHeight);
  const LaunchConfig config = {.grid = dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(p.n)),
                               .block = dim3(kThreads),
                               .shared_bytes = 0,
                               .stream = stream};
  return width_of(std::int64_t{p.w} * kPictureChannels) == Width::kFour ? launch(blur_kernel<4>, config, p, args)
                                                                        : launch(blur_kernel<1>, config, p, args);
}

}  // namespace cudacards
