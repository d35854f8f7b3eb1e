// diff_weights[c,r,s] = sum over n,p,q of diff_dst[n,p,q,c] * src[n, p*stride - top + r, q*stride - left + s, c]
// diff_bias[c]        = sum over n,p,q of diff_dst[n,p,q,c]
//
// Two steps, both in a fixed order:
//   1. a thread adds up its strips (4 pixels of diff_dst, kWidth channels) in R * S + 1 sums in registers, a block its
//      threads' sums in shared memory, first row to last, line of taps by line of taps -> workspace (block, R*S+1, C)
//   2. for each tap and channel the blocks' sums are added up (slices.h)
//
//   block of step 1, one tap:     group 0 .. 7
//     row 0                        kWidth channels ...        one thread a channel and tap adds up the rows
//     ...
//     row 31
//
// 2 * R * S FLOPs an element of diff_dst; src and diff_dst are read once (3x3: src 3 * 1.5 times from a cache), the
// workspace is at most 264 * (R*S+1) * 32 floats: memory is the limit. A thread has 4 channels (3x3: 40 sums) or 2
// (5x5: 52 sums).
//
// What did not pay: twice as many channels a thread: 200 to 390 bytes of spills at 128 registers.

#include "kernels/base/arrays.h"
#include "kernels/depthwise/tile.cuh"
#include "kernels/simt/shared.h"
#include "kernels/simt/slices.h"

namespace cudacards {
namespace {

using namespace depthwise;

template <int kWidth, int kFilter>
struct Sums {
  Channels<kWidth> taps[kFilter][kFilter];
  Channels<kWidth> bias;
};

/// One strip of diff_dst and the lines of src that its taps meet.
template <int kWidth, int kFilter, int kStride, class T>
__device__ __forceinline__ void add_strip(const Conv2dProblem& p, const T* src, const T* diff_line, int top, int q,
                                          int columns, Sums<kWidth, kFilter>& sum) {
  Channels<kWidth> gradient[kStrip];
#pragma unroll
  for (int i = 0; i < kStrip; ++i) {
    gradient[i] = pixel_or_zeros<kWidth>(diff_line, q + i, columns, p.c);
#pragma unroll
    for (int channel = 0; channel < kWidth; ++channel) sum.bias[channel] += gradient[i][channel];
  }
#pragma unroll
  for (int r = 0; r < kFilter; ++r) {
    if (top + r < 0 || top + r >= p.h) continue;
    const T* src_line = src + std::int64_t{top + r} * p.w * p.c;
#pragma unroll
    for (int j = 0; j < (kStrip - 1) * kStride + kFilter; ++j) {
      const Channels<kWidth> x = pixel_or_zeros<kWidth>(src_line, q * kStride - p.pad.left + j, p.w, p.c);
#pragma unroll
      for (int i = 0; i < kStrip; ++i) {
        const int s = j - i * kStride;
        if (s >= 0 && s < kFilter) add_product(sum.taps[r][s], x, gradient[i]);
      }
    }
  }
}

/// Floats from tap to tap in shared memory: as many banks on as the block has channels, so that a warp that ends one
/// tap and begins the next one still lies in 32 banks.
template <int kWidth>
__host__ __device__ constexpr int tap_stride(int threads, int channels) {
  static_assert(ChannelTile<kWidth>::kParts == 1, "the channels of a row lie in order");
  return (threads * kWidth + 31) / 32 * 32 + channels;
}

/// The block's sums of kCount neighbouring taps, rows first to last, to partial (tap, C).
template <int kWidth, int kCount>
__device__ __forceinline__ void reduce_rows(const Tiling& tiling, const Channels<kWidth> (&taps)[kCount],
                                            float* scratch, int c, float* partial) {
  // With fewer groups there are fewer threads, at least 252, but fewer channels too.
  static_assert(kCount * kMostGroups * kWidth <= 252, "one thread a channel and tap adds up the rows");
  using Tile = ChannelTile<kWidth>;
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int block_channels = tiling.groups * kWidth, first = static_cast<int>(blockIdx.y) * block_channels;
  const int stride = tap_stride<kWidth>(threads, block_channels);
  __syncthreads();  // the last taps' sums have been read
#pragma unroll
  for (int s = 0; s < kCount; ++s) Tile::store(scratch + s * stride, threads, thread, taps[s]);
  __syncthreads();  // all rows' sums are there
  const int tap = thread / block_channels, channel = thread % block_channels;
  if (tap >= kCount || first + channel >= c) return;
  const float* tile = scratch + tap * stride;
  float sum = 0;
#pragma unroll 4
  for (int row = 0; row < tiling.rows; ++row)
    sum += tile[Tile::at(threads, row * tiling.groups + channel / kWidth, channel % kWidth)];
  partial[std::int64_t{tap} * c + first + channel] = sum;
}

template <class T, int kWidth, int kFilter, int kStride>
__global__ void __launch_bounds__(kThreads, kBlocksOfProcessor)
    depthwise_backward_weights_kernel(Conv2dProblem p, Tiling tiling, int rows, int columns, const T* src,
                                      const T* diff_dst, float* workspace) {
  const Seat seat = seat_of<kWidth>(tiling);
  Sums<kWidth, kFilter> sum = {};
  if (seat.channel < p.c) {
    visit_strips(tiling, seat, [&](int line, int strip) {  // line = n * P + p
      const int n = line / rows, top = (line - n * rows) * kStride - p.pad.top;
      add_strip<kWidth, kFilter, kStride>(p, src + std::int64_t{n} * p.h * p.w * p.c + seat.channel,
                                          diff_dst + std::int64_t{line} * columns * p.c + seat.channel, top,
                                          strip * kStrip, columns, sum);
    });
  }
  float* scratch = dynamic_shared<float>();
  float* partial = workspace + std::int64_t{blockIdx.x} * (kFilter * kFilter + 1) * p.c;
#pragma unroll
  for (int r = 0; r < kFilter; ++r)
    reduce_rows<kWidth, kFilter>(tiling, sum.taps[r], scratch, p.c, partial + std::int64_t{r} * kFilter * p.c);
  const Channels<kWidth> bias[1] = {sum.bias};
  reduce_rows<kWidth, 1>(tiling, bias, scratch, p.c, partial + std::int64_t{kFilter} * kFilter * p.c);
}

/// Step 2. Block (x, y): some channels of tap y, the last of which is the bias.
__global__ void __launch_bounds__(kSliceBlock)
    depthwise_sum_blocks_kernel(int c, int taps, int blocks, const float* workspace, GradMode mode, float* diff_weights,
                                float* diff_bias) {
  const int channel = static_cast<int>(slice_place(blocks)), tap = static_cast<int>(blockIdx.y);
  const bool exists = channel < c;
  // Threads past the end stay for the barrier.
  const float sum = sum_of_slices<1>(workspace + std::int64_t{tap} * c + (exists ? channel : 0),
                                     std::int64_t{taps + 1} * c, blocks, exists ? 1 : 0)[0];
  if (!has_sum_of_slices(blocks) || !exists) return;
  float* to = tap < taps ? diff_weights + std::int64_t{channel} * taps + tap : diff_bias + channel;
  *to = mode == GradMode::kAccumulate ? *to + sum : sum;  // taps of a channel are neighbours: 32 lanes, 32 sectors
}

// Channels a thread.
constexpr int kWidth3 = 4, kWidth5 = 2;

Tiling tiling_of(const Conv2dProblem& p, int width, const DepthwiseTuning& tuning) {
  return depthwise::tiling_of(p.c, width, std::int64_t{p.n} * p.p(), p.q(), tuning.backward_weights_blocks);
}

int width_of(const Conv2dProblem& p, DType type) {
  if (p.c % (type == DType::kF32 ? kPack<float> : kPack<__nv_bfloat16>) != 0) return 1;
  return p.r == 3 ? kWidth3 : kWidth5;
}

}  // namespace

std::size_t depthwise_backward_weights_workspace(const Conv2dProblem& problem, DType type,
                                                 const DepthwiseTuning& tuning) {
  if (!depthwise_supports(problem, type)) return 0;
  const Tiling tiling = tiling_of(problem, width_of(problem, type), tuning);
  return std::size_t{tiling.blocks} * static_cast<std::size_t>(problem.r * problem.s + 1) *
         static_cast<std::size_t>(problem.c) * sizeof(float);
}

Status depthwise_backward_weights(const Conv2dProblem& problem, DType type, const DepthwiseBackwardWeightsArgs& args,
                                  Stream stream, const DepthwiseTuning& tuning) {
  if (const Verdict verdict = depthwise_supports(problem, type); !verdict)
    return Status::failed("depthwise backward weights: " + verdict.reason());
  if (args.mode == GradMode::kIgnore) return Status::ok();
  const Status checked = check_arrays("depthwise backward weights",
                                      {{"src", args.src},
                                       {"diff_dst", args.diff_dst},
                                       {"diff_weights", args.diff_weights, 4},
                                       {"workspace", args.workspace, 4}},
                                      {{"diff_bias", args.diff_bias, 4}});
  if (!checked) return checked;
  const Tiling tiling = tiling_of(problem, width_of(problem, type), tuning);
  const Status summed = for_shape<kWidth3, kWidth5>(problem, type, [&]<class T, class W, class F, class S>(T, W, F, S) {
    constexpr int kWidth = W::value;
    const int floats = F::value * tap_stride<kWidth>(tiling.threads(), tiling.groups * kWidth);
    return launch(depthwise_backward_weights_kernel<T, kWidth, F::value, S::value>, grid_of(tiling, floats, stream),
                  problem, tiling, problem.p(), problem.q(), static_cast<const T*>(args.src),
                  static_cast<const T*>(args.diff_dst), args.workspace);
  });
  if (!summed) return summed;
  const int taps = problem.r * problem.s;
  const LaunchConfig config = {
      .grid = dim3(static_cast<unsigned>(slice_blocks(problem.c, static_cast<int>(tiling.blocks))),
                   static_cast<unsigned>(args.diff_bias ? taps + 1 : taps)),
      .block = dim3(kSliceBlock),
      .shared_bytes = 0,
      .stream = stream};
  return launch(depthwise_sum_blocks_kernel, config, problem.c, taps, static_cast<int>(tiling.blocks), args.workspace,
                args.mode, args.diff_weights, args.diff_bias);
}

}  // namespace cudacards
