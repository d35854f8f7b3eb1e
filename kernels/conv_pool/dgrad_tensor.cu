// diff_src[n,y,x,c] = sum over r,s,k of diff[n,y+1-r,x+1-s,k] * weights[k,r,s,c],
// diff[n,y,x,k] = diff_dst[n,y/2,x/2,k] where (y,x) won its window and the activation lets through, else 0
//
// bf16 on tensor cores, C and K multiples of 8. A block computes 16 x 16 pixels x 32 or 64 channels, 16 filters at a
// time. The gradient before the pool is never in memory: 10 x 10 pooled pixels x 16 filters go through registers and
// are spread over 18 x 18 pixels of shared memory by the argmax, then it is the forward pass with flipped taps.
//
//   one of two stages               weights, diff_dst, dst, argmax: cp.async while the slab before is multiplied
//   diff     18 x 18 x 16   11 KB   spread: after it, each thread the octet that it has copied
//   weights  9 x 16 x 64    18 KB
//
// 8 warps, each 2 image rows x all channels (64 registers of sums). Weights lie as in memory (filter, tap, channel) and
// are turned by ldmatrix.
//
// Moves diff_dst, dst and argmax 1.56 times for each 64 channels, diff_src once: at 112 x 112 x 32 <- 64 that is 2.1 MB
// a picture where an unpooled gradient alone would be 1.6 MB written and read again. Three of four products have a zero
// factor: bound by the matrix instructions.

#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/tensor_tile.cuh"
#include "kernels/simt/launch.h"

namespace cudacards::conv_pool {
namespace {

constexpr int kWarps = kTileWindows;
constexpr int kThreads = kWarps * kWarpSize;
constexpr int kChunks = kSlab / kOctet;
constexpr int kAcross = kTileWindows + 2;  // windows that touch the tile
constexpr int kPitch = 12;                 // threads for a row of them: whole quarters of warps, for the banks
static_assert(kAcross * kPitch * kChunks <= kThreads, "one octet a thread");

template <int kChannels>
struct Stage {
  HaloTile diff;
  Tile<__nv_bfloat16, kTaps * kSlab, kChannels> weights;  // row tap * 16 + filter
};
constexpr int kStages = 2;

template <int kChannels>
struct Shared {
  Stage<kChannels> stages[kStages];
  OctetsOnTheWay<kThreads> octets;
};

struct Block {
  TileOrigin origin;
  int first_channel;
};

/// The window and the chunk of filters that this thread carries.
struct Carried {
  int chunk, row, column;  // row and column of the tile's windows, -1 ... 8
  bool any;
  __device__ Carried() {
    const int thread = static_cast<int>(threadIdx.x);
    chunk = thread % kChunks;
    row = thread / kChunks / kPitch - 1;
    column = thread / kChunks % kPitch - 1;
    any = row <= kTileWindows && column <= kTileWindows;
  }
};

__device__ __forceinline__ void spread(const PooledOctet& octet, const Carried& carried, HaloTile& tile) {
  if (!carried.any) return;
#pragma unroll
  for (std::uint32_t place = 0; place < kWindow; ++place) {
    const int y = 2 * carried.row + 1 + static_cast<int>(place / 2);
    const int x = 2 * carried.column + 1 + static_cast<int>(place % 2);
    if (y >= 0 && y < kHaloSide && x >= 0 && x < kHaloSide)
      store_vector(tile.chunk(y, x, carried.chunk), octet.at(place));
  }
}

template <int kChannels>
__device__ __forceinline__ void copy_weights(const ConvPoolProblem& p, const Block& block, const __nv_bfloat16* weights,
                                             int first_filter, Stage<kChannels>& stage) {
  constexpr int kRowChunks = kChannels / kOctet;
#pragma unroll 1  // unrolled, addresses are kept in registers that the sums need
  for (int i = static_cast<int>(threadIdx.x); i < kTaps * kSlab * kRowChunks; i += kThreads) {
    const int chunk = i % kRowChunks, row = i / kRowChunks;
    const int tap = row / kSlab, filter = first_filter + row % kSlab;
    const int channel = block.first_channel + chunk * kOctet;
    const bool exists = filter < p.conv.k && channel < p.conv.c;  // both are multiples of 8
    async_copy<16>(stage.weights.chunk(row, chunk),
                   weights + (exists ? (filter * kTaps + tap) * p.conv.c + channel : 0),
                   exists ? Fill::kCopy : Fill::kZero);
  }
}

/// Four lanes, each with a row of a 4 x 4 matrix of words: afterwards each has a column.
__device__ __forceinline__ void transpose_among_four(std::uint32_t (&words)[4]) {
  const int member = mma_member(lane_index());
#pragma unroll
  for (int step = 1; step <= 2; step *= 2) {
    const bool upper = (member & step) != 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if ((i & step) != 0) continue;
      const std::uint32_t given = upper ? words[i] : words[i + step];
      const std::uint32_t taken = __shfl_xor_sync(kWholeWarp, given, step);
      if (upper) {
        words[i] = taken;
      } else {
        words[i + step] = taken;
      }
    }
  }
}

__device__ __forceinline__ std::uint32_t packed(float low, float high) {
  return static_cast<std::uint32_t>(__bfloat16_as_ushort(from_float<__nv_bfloat16>(low))) |
         static_cast<std::uint32_t>(__bfloat16_as_ushort(from_float<__nv_bfloat16>(high))) << 16;
}

/// One image row of the tile: 8 windows x 2 columns, kTiles n-tiles.
template <int kTiles>
__device__ __forceinline__ void store_row(const ConvPoolProblem& p, const float (&sums)[kTiles][4], int n, int y,
                                          int first_x, int first_channel, GradMode mode, __nv_bfloat16* diff_src) {
  const int member = mma_member(lane_index());
#pragma unroll
  for (int side = 0; side < 2; ++side) {
    const int x = first_x + 2 * mma_group(lane_index()) + side;
    const bool inside = y < p.conv.h && x < p.conv.w;
    __nv_bfloat16* pixel = diff_src + ((std::int64_t{n} * p.conv.h + y) * p.conv.w + x) * p.conv.c;
#pragma unroll
    for (int first = 0; first < kTiles; first += 4) {
      std::uint32_t words[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        float low = sums[first + j][2 * side], high = sums[first + j][2 * side + 1];
        const int channel = first_channel + 8 * (first + j) + 2 * member;
        if (mode == GradMode::kAccumulate && inside && channel < p.conv.c) {
          const Vec<__nv_bfloat16, 2> old = load_vector<2>(pixel + channel);
          low += to_float(old[0]);
          high += to_float(old[1]);
        }
        words[j] = packed(low, high);
      }
      __syncwarp();  // another lane stores where this one has read
      transpose_among_four(words);
      const int channel = first_channel + 8 * (first + member);
      if (inside && channel < p.conv.c) {
        const Vec<std::uint32_t, 4> octet = {{words[0], words[1], words[2], words[3]}};
        store_vector(reinterpret_cast<std::uint32_t*>(pixel + channel), octet);
      }
    }
  }
}

template <int kChannels>
__global__ void __launch_bounds__(kThreads, 2)
    conv_pool_dgrad_tensor_kernel(ConvPoolProblem p, int channel_tiles, PooledGradient<__nv_bfloat16> pooled,
                                  const __nv_bfloat16* weights, GradMode mode, __nv_bfloat16* diff_src) {
  Shared<kChannels>& tile = *dynamic_shared<Shared<kChannels>>();
  const TensorTiles tiles((p.conv.h + 1) / 2, (p.conv.w + 1) / 2);  // an odd last row has a gradient too
  const Block block = {tiles.origin(static_cast<int>(blockIdx.x) / channel_tiles),
                       static_cast<int>(blockIdx.x) % channel_tiles * kChannels};
  const Carried carried;
  const auto start_copies = [&](int slab, Stage<kChannels>& stage) {
    copy_weights(p, block, weights, slab * kSlab, stage);
    tile.octets.start(p, pooled, block.origin.n, block.origin.row + carried.row, block.origin.column + carried.column,
                      carried.any ? slab * kSlab + carried.chunk * kOctet : p.conv.k);
    async_commit();
  };
  const auto spread_octet = [&](Stage<kChannels>& stage) {
    async_wait<0>();  // this thread's copies
    spread(tile.octets.take(p, carried.chunk * kOctet), carried, stage.diff);
  };

  float sums[2][kChannels / 8][4] = {};
  const int slabs = (p.conv.k + kSlab - 1) / kSlab;
  start_copies(0, tile.stages[0]);
  spread_octet(tile.stages[0]);
  for (int slab = 0; slab < slabs; ++slab) {
    Stage<kChannels>& stage = tile.stages[slab % kStages];
    Stage<kChannels>& next = tile.stages[(slab + 1) % kStages];
    __syncthreads();  // the stage is complete, and nobody reads the other one any more
    if (slab + 1 < slabs) start_copies(slab + 1, next);
    const auto load_b = [&](int tap, int pair, std::uint32_t(&b)[4]) {
      stage.weights.load_b_transposed((kTaps - 1 - tap) * kSlab, 16 * pair, b);
    };
    multiply_taps<3>(stage.diff, 2 * warp_index(), load_b, sums);
    if (slab + 1 < slabs) spread_octet(next);
  }

#pragma unroll
  for (int y = 0; y < 2; ++y) {
    store_row(p, sums[y], block.origin.n, 2 * (block.origin.row + warp_index()) + y, 2 * block.origin.column,
              block.first_channel, mode, diff_src);
  }
}

template <int kChannels>
Status start(const ConvPoolProblem& p, const ConvPoolDataArgs& args, Stream stream) {
  const TensorTiles tiles((p.conv.h + 1) / 2, (p.conv.w + 1) / 2);
  const int channel_tiles = (p.conv.c + kChannels - 1) / kChannels;
  const LaunchConfig config = {.grid = dim3(static_cast<unsigned>(tiles.per_picture() * p.conv.n * channel_tiles)),
                               .block = dim3(kThreads),
                               .shared_bytes = sizeof(Shared<kChannels>),
                               .stream = stream};
  const PooledGradient<__nv_bfloat16> pooled = {static_cast<const __nv_bfloat16*>(args.diff_dst),
                                                static_cast<const __nv_bfloat16*>(args.dst), args.argmax};
  return launch(conv_pool_dgrad_tensor_kernel<kChannels>, config, p, channel_tiles, pooled,
                static_cast<const __nv_bfloat16*>(args.weights), args.mode, static_cast<__nv_bfloat16*>(args.diff_src));
}

}  // namespace

Status backward_data_tensor(const ConvPoolProblem& problem, const ConvPoolDataArgs& args, Stream stream) {
  return problem.conv.c <= 32 ? start<32>(problem, args, stream) : start<64>(problem, args, stream);
}

}  // namespace cudacards::conv_pool
