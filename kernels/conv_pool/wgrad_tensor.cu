// diff_weights[k,r,s,c] = sum over n,y,x of diff[n,y,x,k] * src[n,y+r-1,x+s-1,c];  diff_bias[k] = sum of diff[n,y,x,k]
// diff[n,y,x,k] = diff_dst[n,y/2,x/2,k] where (y,x) won its window and the activation lets through, else 0
//
// bf16 on tensor cores, C and K multiples of 8: a matrix product (K x pixels) * (pixels x 9 C). A block sums 64 filters
// x 9 taps x 32 channels over the tiles split, split + splits, ... and leaves a partial sum; the gradient before the
// pool exists only in shared memory, spread there by the argmax.
//
//   one of two stages: a tile of 8 x 16 pixels             warp: 16 filters x 9 taps x 16 channels (72 sums a lane)
//   diff  128 pixels x 64 filters   16 KB                  for each of the 10 rows of src: one fragment of A (a new row
//   src   10 x 18 pixels x 32       15 KB                  of diff; two more are kept), three pairs of B (the columns
//                                                          of taps), up to 18 matrix instructions
//
// Both operands lie pixel by pixel and are turned by ldmatrix. The bias is one more column, over a matrix of ones: 8
// matrix instructions beside 144, and no registers for sums of its own.
//
// Moves src 1.4 times for each 64 filters, diff_dst, dst and argmax once for each 32 channels, and the partial sums.
// Three of four products have a zero factor: bound by the matrix instructions.

#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/tensor_tile.cuh"
#include "kernels/simt/launch.h"

namespace cudacards::conv_pool {
namespace {

constexpr int kWindowRows = 4, kWindowColumns = 8;
constexpr int kRows = 2 * kWindowRows, kColumns = 2 * kWindowColumns;  // pixels
constexpr int kSide = kColumns + 2;
constexpr int kPitch = 24;  // of src's rows in pixels: the swizzle repeats after 8, so all rows share their addresses
constexpr int kFilters = 64, kChannels = 32;
constexpr int kFilterOctets = kFilters / kOctet;
constexpr int kThreads = 256;
static_assert(kWindowRows * kWindowColumns * kFilterOctets == kThreads, "one octet a thread");
static_assert(kColumns == 16, "a row of pixels is one step of the matrix instruction");
constexpr int kFilterWarps = kFilters / 16;
static_assert(kFilterWarps * (kChannels / 16) * kWarpSize == kThreads);

using Tiles = TileGrid<kWindowRows, kWindowColumns>;

struct Stage {
  Tile<__nv_bfloat16, kRows * kColumns, kFilters> diff;
  Tile<__nv_bfloat16, (kRows + 2) * kPitch, kChannels> src;
};
constexpr int kStages = 2;

struct Shared {
  Stage stages[kStages];
  OctetsOnTheWay<kThreads> octets;
};

struct Block {
  int split, first_filter, first_channel;
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

__device__ __forceinline__ void copy_src(const ConvPoolProblem& p, const TileOrigin& origin, int first_channel,
                                         const __nv_bfloat16* src, Stage& stage) {
  constexpr int kChunks = kChannels / kOctet;
  const __nv_bfloat16* picture = src + std::int64_t{origin.n} * p.conv.h * p.conv.w * p.conv.c;

  for (int i = static_cast<int>(threadIdx.x); i < (kRows + 2) * kSide * kChunks; i += kThreads) {
    const int chunk = i % kChunks, pixel = i / kChunks;
    const int y = 2 * origin.row - 1 + pixel / kSide, x = 2 * origin.column - 1 + pixel % kSide;
    const int channel = first_channel + chunk * kOctet;
    const bool inside = y >= 0 && y < p.conv.h && x >= 0 && x < p.conv.w && channel < p.conv.c;
    async_copy<16>(stage.src.chunk(pixel / kSide * kPitch + pixel % kSide, chunk),
                   picture + (inside ? (y * p.conv.w + x) * p.conv.c + channel : 0),
                   inside ? Fill::kCopy : Fill::kZero);
  }
}

__device__ __forceinline__ void spread(const PooledOctet& octet, const Carried& carried, Stage& stage) {
#pragma unroll
  for (std::uint32_t place = 0; place < kWindow; ++place) {
    const int y = 2 * carried.row + static_cast<int>(place / 2), x = 2 * carried.column + static_cast<int>(place % 2);
    store_vector(stage.diff.chunk(y * kColumns + x, carried.octet), octet.at(place));
  }
}

constexpr std::uint32_t kOnes = 0x3f803f80u;  // two of bf16

/// sums[tap][half] += the warp's 16 filters x channels 8 half ... 8 half + 7 of its 16, over the tile's pixels;
/// every column of bias_sums += the filters.
__device__ __forceinline__ void multiply(Stage& stage, float (&sums)[kTaps][2][4], float (&bias_sums)[4]) {
  const int first_filter = warp_index() % kFilterWarps * 16, first_channel = warp_index() / kFilterWarps * 16;
  std::uint32_t diff[3][4];  // rows y of the gradient, at y % 3
#pragma unroll 1             // unrolled, the addresses of all fragments take registers
  for (int first_row = 0; first_row < kRows + 2; first_row += 3) {
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      const int row = first_row + i;  // of src
      if (row >= kRows + 2) break;
      if (row < kRows) {
        const std::uint32_t ones[2] = {kOnes, kOnes};
        stage.diff.load_a_transposed(row * kColumns, first_filter, diff[i]);
        mma_m16n8k16<__nv_bfloat16>(bias_sums, diff[i], ones);
      }
#pragma unroll
      for (int s = 0; s < 3; ++s) {
        std::uint32_t b[4];
        stage.src.load_b_transposed(row * kPitch + s, first_channel, b);
        const std::uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
        for (int r = 0; r < 3; ++r) {
          const int y = row - r;
          if (y < 0 || y >= kRows) continue;
          mma_m16n8k16<__nv_bfloat16>(sums[3 * r + s][0], diff[(i + 3 - r) % 3], left);
          mma_m16n8k16<__nv_bfloat16>(sums[3 * r + s][1], diff[(i + 3 - r) % 3], right);
        }
      }
    }
  }
}

__device__ __forceinline__ void store_weights(const ConvPoolProblem& p, const Block& block,
                                              const float (&sums)[kTaps][2][4], float* weights) {
  const int lane = lane_index();
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    const int filter = block.first_filter + warp_index() % kFilterWarps * 16 + mma_group(lane) + 8 * side;
    if (filter >= p.conv.k) continue;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int channel = block.first_channel + warp_index() / kFilterWarps * 16 + 8 * half + 2 * mma_member(lane);
      if (channel >= p.conv.c) continue;
#pragma unroll
      for (int tap = 0; tap < kTaps; ++tap) {
        store_vector(weights + (std::int64_t{filter} * kTaps + tap) * p.conv.c + channel,
                     Vec<float, 2>{{sums[tap][half][2 * side], sums[tap][half][2 * side + 1]}});
      }
    }
  }
}

__global__ void __launch_bounds__(kThreads, 2)
    conv_pool_wgrad_tensor_kernel(ConvPoolProblem p, int splits, int filter_tiles, int channel_tiles,
                                  const __nv_bfloat16* src, PooledGradient<__nv_bfloat16> pooled, float* partial) {
  Shared& tile = *dynamic_shared<Shared>();
  const Tiles tiles(p.pooled_h(), p.pooled_w());
  const int at = static_cast<int>(blockIdx.x);
  const Block block = {at / channel_tiles / filter_tiles, at / channel_tiles % filter_tiles * kFilters,
                       at % channel_tiles * kChannels};
  const Carried carried;
  const auto start_copies = [&](int of, Stage& stage) {
    const TileOrigin origin = tiles.origin(of);
    copy_src(p, origin, block.first_channel, src, stage);
    tile.octets.start(p, pooled, origin.n, origin.row + carried.row, origin.column + carried.column,
                      block.first_filter + carried.octet * kOctet);
    async_commit();
  };
  const auto spread_octet = [&](Stage& stage) {
    async_wait<0>();  // this thread's copies
    spread(tile.octets.take(p, carried.octet * kOctet), carried, stage);
  };

  float sums[kTaps][2][4] = {};
  float bias_sums[4] = {};
  const int count = tiles.per_picture() * p.conv.n;
  start_copies(block.split, tile.stages[0]);
  spread_octet(tile.stages[0]);
  int current = 0;
  for (int of = block.split; of < count; of += splits, current ^= 1) {
    const bool more = of + splits < count;
    __syncthreads();  // the stage is complete, and nobody reads the other one any more
    if (more) start_copies(of + splits, tile.stages[current ^ 1]);
    multiply(tile.stages[current], sums, bias_sums);
    if (more) spread_octet(tile.stages[current ^ 1]);
  }

  const std::int64_t weight_elements = std::int64_t{p.conv.k} * kTaps * p.conv.c;
  float* weights = partial + block.split * (weight_elements + p.conv.k);
  store_weights(p, block, sums, weights);
  if (block.first_channel == 0 && warp_index() < kFilterWarps && mma_member(lane_index()) == 0) {
    const int filter = block.first_filter + warp_index() * 16 + mma_group(lane_index());
    if (filter < p.conv.k) weights[weight_elements + filter] = bias_sums[0];
    if (filter + 8 < p.conv.k) weights[weight_elements + filter + 8] = bias_sums[2];
  }
}

int tiles_of(int count, int size) { return (count + size - 1) / size; }

}  // namespace

std::int64_t weights_tensor_tiles(const ConvPoolProblem& p) {
  return std::int64_t{Tiles(p.pooled_h(), p.pooled_w()).per_picture()} * p.conv.n;
}
std::int64_t weights_tensor_blocks(const ConvPoolProblem& p) {
  return std::int64_t{tiles_of(p.conv.k, kFilters)} * tiles_of(p.conv.c, kChannels);
}

Status backward_weights_tensor(const ConvPoolProblem& p, int splits, const ConvPoolWeightsArgs& args, Stream stream) {
  const int filter_tiles = tiles_of(p.conv.k, kFilters), channel_tiles = tiles_of(p.conv.c, kChannels);
  const LaunchConfig config = {.grid = dim3(static_cast<unsigned>(splits * filter_tiles * channel_tiles)),
                               .block = dim3(kThreads),
                               .shared_bytes = sizeof(Shared),
                               .stream = stream};
  const PooledGradient<__nv_bfloat16> pooled = {static_cast<const __nv_bfloat16*>(args.diff_dst),
                                                static_cast<const __nv_bfloat16*>(args.dst), args.argmax};
  return launch(conv_pool_wgrad_tensor_kernel, config, p, splits, filter_tiles, channel_tiles,
                static_cast<const __nv_bfloat16*>(args.src), pooled, args.workspace);
}

}  // namespace cudacards::conv_pool
