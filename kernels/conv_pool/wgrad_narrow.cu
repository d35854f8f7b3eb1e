// diff_weights[k,r,s,c] = sum over n,y,x of diff[n,y,x,k] * src[n,y+r-1,x+s-1,c];  diff_bias[k] = sum of diff[n,y,x,k]
// diff[n,y,x,k] = diff_dst[n,y/2,x/2,k] where (y,x) won its window and the activation lets through, else 0
//
// bf16 on tensor cores for C <= 4, from bf16 or from uint8 (exact in bf16; the scale comes after the sum). K a multiple
// of 8. A block sums 32 filters x 3 rows of taps x 16 columns (4 taps x 4 channels, of which 9 C are kept) over the
// tiles split, split + splits, ... and leaves a partial sum.
//
//   a tile of 8 x 16 pixels                  warp: two of the 8 rows (28 matrix instructions to 8 loads of fragments);
//   diff  128 pixels x 32 filters   8 KB     the four warps' sums are added at the end, in order
//   src   narrow_tile.cuh           5 KB
//
// The 16 pixels of a row are a step of the matrix instruction in the order left pixels, right pixels of the windows: so
// the two copies of src are read as in the forward pass, and diff is spread in that order. The bias is one more column,
// over a matrix of ones.
//
// Moves src 1.4 times, diff_dst, dst and argmax once, for each 32 filters. For 224 x 224 x 3 -> 32 filters: 2 MB and
// 154 MFLOP of matrix instructions a picture (1.8 times the padding), bound by both alike.

#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/narrow_tile.cuh"
#include "kernels/simt/launch.h"

namespace cudacards::conv_pool {
namespace {

constexpr int kWindowRows = 4, kWindowColumns = 8;
constexpr int kRows = 2 * kWindowRows, kColumns = 2 * kWindowColumns;  // pixels
constexpr int kFilters = 32;
constexpr int kFilterOctets = kFilters / kOctet;
constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kRowsOfWarp = kRows / kWarps;
constexpr int kTapColumns = kPadded * kPadded;  // of a row of taps
constexpr int kSums = 3 * kTapColumns + 1;      // of a filter, the bias last
static_assert(kWindowRows * kWindowColumns * kFilterOctets == kThreads, "one octet a thread");

using Tiles = TileGrid<kWindowRows, kWindowColumns>;

template <class S>
struct Shared {
  NarrowTile<S, kRows + 2> src;
  Tile<__nv_bfloat16, kRows * kColumns, kFilters> diff;  // row 16 y + 8 (x % 2) + x / 2
  OctetsOnTheWay<kThreads> octets;
  float sums[kWarps][kFilters][kSums];
};

/// The window and the octet of filters that this thread carries.
struct Carried {
  int row, column, octet;
  __device__ Carried() {
    const int thread = static_cast<int>(threadIdx.x);
    octet = thread % kFilterOctets;
    column = thread / kFilterOctets % kWindowColumns;
    row = thread / kFilterOctets / kWindowColumns;
  }
};

template <class S>
__device__ __forceinline__ void spread(const PooledOctet& octet, const Carried& carried, Shared<S>& tile) {
#pragma unroll
  for (std::uint32_t place = 0; place < kWindow; ++place) {
    const int y = 2 * carried.row + static_cast<int>(place / 2), side = static_cast<int>(place % 2);
    store_vector(tile.diff.chunk(y * kColumns + kWindowColumns * side + carried.column, carried.octet),
                 octet.at(place));
  }
}

struct Sums {
  float taps[2][3][2][4] = {};  // 16 filters, row of taps, 8 columns
  float bias[2][4] = {};
};

template <class S>
__device__ __forceinline__ void multiply(Shared<S>& tile, Sums& sums) {
  const int first_row = warp_index() * kRowsOfWarp;
  std::uint32_t diff[kRowsOfWarp][2][4];
#pragma unroll
  for (int y = 0; y < kRowsOfWarp; ++y) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const std::uint32_t ones[2] = {0x3f803f80u, 0x3f803f80u};
      tile.diff.load_a_transposed((first_row + y) * kColumns, 16 * half, diff[y][half]);
      mma_m16n8k16<__nv_bfloat16>(sums.bias[half], diff[y][half], ones);
    }
  }
#pragma unroll
  for (int row = 0; row < kRowsOfWarp + 2; ++row) {  // of src
    std::uint32_t b[4];
    ldmatrix_x4_transposed(b, tile.src.halo.lane_row(first_row + row));
    const std::uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
    for (int r = 0; r < 3; ++r) {
      const int y = row - r;
      if (y < 0 || y >= kRowsOfWarp) continue;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        mma_m16n8k16<__nv_bfloat16>(sums.taps[half][r][0], diff[y][half], left);
        mma_m16n8k16<__nv_bfloat16>(sums.taps[half][r][1], diff[y][half], right);
      }
    }
  }
}

template <class S>
__device__ __forceinline__ void put_sums(const Sums& sums, Shared<S>& tile) {
  const int lane = lane_index();
  auto& of_warp = tile.sums[warp_index()];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const MmaPlace place = {mma_group(lane) + 8 * (i / 2), 2 * mma_member(lane) + i % 2};
      float* filter = of_warp[16 * half + place.row];
#pragma unroll
      for (int r = 0; r < 3; ++r) {
        filter[r * kTapColumns + place.column] = sums.taps[half][r][0][i];
        filter[r * kTapColumns + 8 + place.column] = sums.taps[half][r][1][i];
      }
      if (place.column == 0) filter[kSums - 1] = sums.bias[half][i];
    }
  }
}

template <class S>
__device__ __forceinline__ float sum_of_warps(const Shared<S>& tile, int filter, int i) {
  float sum = 0;
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) sum += tile.sums[warp][filter][i];
  return sum;
}

template <class S>
__global__ void __launch_bounds__(kThreads)
    conv_pool_wgrad_narrow_kernel(ConvPoolProblem p, int splits, int filter_tiles, const S* src,
                                  PooledGradient<__nv_bfloat16> pooled, float* partial) {
  Shared<S>& tile = shared<Shared<S>>();
  const Tiles tiles(p.pooled_h(), p.pooled_w());
  const int first_filter = static_cast<int>(blockIdx.x) % filter_tiles * kFilters;
  const int split = static_cast<int>(blockIdx.x) / filter_tiles;
  const Carried carried;

  Sums sums;
  for (int of = split; of < tiles.per_picture() * p.conv.n; of += splits) {
    const TileOrigin origin = tiles.origin(of);
    tile.octets.start(p, pooled, origin.n, origin.row + carried.row, origin.column + carried.column,
                      first_filter + carried.octet * kOctet);
    async_commit();
    load_raw<kThreads>(p, origin, src, tile.src);
    async_wait<0>();  // this thread's octet
    __syncthreads();  // the raw words are there, and nobody reads the tile before any more
    unpack_pixels<kThreads>(p, origin, tile.src);
    spread(tile.octets.take(p, carried.octet * kOctet), carried, tile);
    __syncthreads();  // the tile is complete, and nobody reads the raw words any more
    multiply(tile, sums);
  }
  put_sums(sums, tile);
  __syncthreads();  // all warps' sums are there

  const int channels = p.conv.c, of_filter = kTaps * channels;
  const std::int64_t weight_elements = std::int64_t{p.conv.k} * of_filter;
  float* weights = partial + split * (weight_elements + p.conv.k);
  const int filters = min(kFilters, p.conv.k - first_filter);
  for (int i = static_cast<int>(threadIdx.x); i < filters * of_filter; i += kThreads) {
    const int tap = i / channels % kTaps;
    weights[first_filter * of_filter + i] =
        sum_of_warps(tile, i / of_filter, tap / 3 * kTapColumns + tap % 3 * kPadded + i % channels);
  }
  const int filter = static_cast<int>(threadIdx.x);
  if (filter < filters) weights[weight_elements + first_filter + filter] = sum_of_warps(tile, filter, kSums - 1);
}

template <class S>
Status start(const ConvPoolProblem& p, int splits, const ConvPoolWeightsArgs& args, Stream stream) {
  const auto filter_tiles = static_cast<int>(weights_narrow_blocks(p));
  const LaunchConfig config = {.grid = dim3(static_cast<unsigned>(splits * filter_tiles)),
                               .block = dim3(kThreads),
                               .shared_bytes = 0,
                               .stream = stream};
  const PooledGradient<__nv_bfloat16> pooled = {static_cast<const __nv_bfloat16*>(args.diff_dst),
                                                static_cast<const __nv_bfloat16*>(args.dst), args.argmax};
  return launch(conv_pool_wgrad_narrow_kernel<S>, config, p, splits, filter_tiles, static_cast<const S*>(args.src),
                pooled, args.workspace);
}

}  // namespace

std::int64_t weights_narrow_tiles(const ConvPoolProblem& p) {
  return std::int64_t{Tiles(p.pooled_h(), p.pooled_w()).per_picture()} * p.conv.n;
}
std::int64_t weights_narrow_blocks(const ConvPoolProblem& p) { return (p.conv.k + kFilters - 1) / kFilters; }

Status backward_weights_narrow(const ConvPoolProblem& p, int splits, const ConvPoolWeightsArgs& args, Stream stream) {
  return p.source == ConvPoolSource::kU8 ? start<std::uint8_t>(p, splits, args, stream)
                                         : start<__nv_bfloat16>(p, splits, args, stream);
}

}  // namespace cudacards::conv_pool
