// dst[n,p,q,k] = activation(sum over r,s,c of x[n, p stride - top + r, q stride - left + s, c] * weights[k,r,s,c]
//                           + bias[k]),     x = scale[c] * src + offset[c] inside the picture, 0 in the padding
//
// C = 1 or 3: too shallow for a GEMM (27 of a depth of 32, gathered element by element), and src is 1/20 of the
// traffic. A block computes 8 x 16 pixels of 32 filters, kTiles times down the picture with the same filters:
//
//   bank[r,s,c][32 filters]    in shared memory, fp32, rows of 36
//   tile[rows][columns, c]     the source pixels that 8 x 16 destinations read, fp32, normalised once on the way in
//   thread (f, g), 8 x 16:     filters 4 f ... 4 f + 3 of 8 neighbouring pixels: 32 sums
//
// A step (r,s,c) costs a thread one 16-byte load of filters and eight broadcast loads of pixels for 32 multiply-adds.
// Moves N H W C * size(src) + N P Q K * size(dst); 54 K FLOPs a pixel for 3x3x3: with 32 filters in bf16 and a uint8
// source 1,728 FLOPs for 67 bytes, so fp32 arithmetic and memory are about even on an H200.

#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/base/arrays.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/direct.h"
#include "kernels/conv2d/store.cuh"
#include "kernels/simt/launch.h"
#include "kernels/simt/shared.h"
#include "kernels/simt/warp.h"

namespace cudacards {
namespace {

constexpr int kThreads = 128;
constexpr int kDstH = 8, kDstW = 16, kFilters = 32;
constexpr int kPixels = 8;    // of one thread, neighbours in a row
constexpr int kTiles = 4;     // of one block, one below the other
constexpr int kBankRow = 36;  // 8 steps x 4 filters fall on 32 banks
constexpr int kQuads = kFilters / kQuad;
static_assert(kQuads * (kDstH * kDstW / kPixels) == kThreads);
static_assert(kBankRow % 8 == 4 && kBankRow % 4 == 0, "filters are read 16 bytes at a time");

struct Direct {
  int n, h, w, r, s, stride_h, stride_w, top, left, p, q;
  int tile_h, tile_w;  // source pixels that a tile reads
  const float* weights;
  float scale[3], offset[3];

  /// (scale, offset) of a channel by selection: an index would put the arrays into local memory.
  template <int kC>
  __device__ __forceinline__ float normalised(float x, int c) const {
    if (kC == 1 || c == 0) return x * scale[0] + offset[0];
    return c == 1 ? x * scale[1] + offset[1] : x * scale[2] + offset[2];
  }
};

/// (32 filters, steps) -> bank[step][filter]. A warp takes 8 steps of 4 filters: 32-byte pieces, 32 banks.
__device__ __forceinline__ void load_bank(float* bank, const Direct& d, int steps, int n0, int filters) {
  const int lane_step = lane_index() % 8, lane_filter = lane_index() / 8 + warp_index() * 4;
  for (int step = lane_step; step < steps; step += 8) {
#pragma unroll
    for (int filter = lane_filter; filter < kFilters; filter += kThreads / kWarpSize * 4)
      bank[step * kBankRow + filter] = n0 + filter < filters ? d.weights[std::int64_t{n0 + filter} * steps + step] : 0;
  }
}

/// The source rows and columns of the tile whose first destination is (p0, q0), normalised.
template <class Src, int kC>
__device__ __forceinline__ void load_tile(float* tile, const Src* src, const Direct& d, int picture, int p0, int q0) {
  const int y0 = p0 * d.stride_h - d.top, x0 = q0 * d.stride_w - d.left, row_elements = d.tile_w * kC;
  for (int i = static_cast<int>(threadIdx.x); i < d.tile_h * row_elements; i += kThreads) {
    const int y = y0 + i / row_elements, element = i % row_elements;
    const int x = x0 + element / kC, c = element % kC;
    float value = 0;
    if (static_cast<unsigned>(y) < static_cast<unsigned>(d.h) &&
        static_cast<unsigned>(x) < static_cast<unsigned>(d.w)) {
      const Src raw = src[((std::int64_t{picture} * d.h + y) * d.w + x) * kC + c];
      value = d.normalised<kC>(to_float(raw), c);
    }
    tile[i] = value;
  }
}

template <class Src, class Dst, int kC>
__global__ void __launch_bounds__(kThreads) conv2d_direct_kernel(Direct d, const Src* src, Epilogue<Dst> epilogue) {
  const int steps = d.r * d.s * kC;
  float* bank = dynamic_shared<float>();
  float* tile = bank + steps * kBankRow;
  const int filters = epilogue.columns;
  const int n0 = static_cast<int>(blockIdx.y) * kFilters;
  const int tiles_q = (d.q + kDstW - 1) / kDstW, strips = (d.p + kDstH * kTiles - 1) / (kDstH * kTiles);
  const int block = static_cast<int>(blockIdx.x);
  const int q0 = block % tiles_q * kDstW, strip = block / tiles_q % strips, picture = block / tiles_q / strips;
  const int quad = static_cast<int>(threadIdx.x) % kQuads, group = static_cast<int>(threadIdx.x) / kQuads;
  const int row = group / (kDstW / kPixels), column = group % (kDstW / kPixels) * kPixels;
  load_bank(bank, d, steps, n0, filters);

  for (int t = 0; t < kTiles; ++t) {
    const int p0 = (strip * kTiles + t) * kDstH;
    if (p0 >= d.p) return;  // the whole block
    __syncthreads();        // nobody reads the last tile any more
    load_tile<Src, kC>(tile, src, d, picture, p0, q0);
    __syncthreads();  // the tile, and the first time the bank, are there
    Quad sums[kPixels] = {};
    const float* filter = bank + quad * kQuad;
#pragma unroll 1
    for (int r = 0; r < d.r; ++r) {
      const float* pixel = tile + ((row * d.stride_h + r) * d.tile_w + column * d.stride_w) * kC;
#pragma unroll 1
      for (int s = 0; s < d.s; ++s) {
#pragma unroll
        for (int c = 0; c < kC; ++c, filter += kBankRow, ++pixel) {
          const Quad w = load_vector<kQuad>(filter);
#pragma unroll
          for (int i = 0; i < kPixels; ++i) {
            const float x = pixel[i * d.stride_w * kC];
#pragma unroll
            for (int e = 0; e < kQuad; ++e) sums[i][e] += x * w[e];
          }
        }
      }
    }
    const int p = p0 + row;
#pragma unroll
    for (int i = 0; i < kPixels; ++i) {
      const int q = q0 + column + i;
      const bool inside = p < d.p && q < d.q;
      epilogue.quad(inside ? ((std::int64_t{picture} * d.p + p) * d.q + q) * filters : kNoRow, n0 + quad * kQuad,
                    sums[i]);
    }
  }
}

template <class Src, class Dst, int kC>
Status start(const Conv2dProblem& problem, const Conv2dDirectArgs& args, Stream stream) {
  Direct d = {.n = problem.n,
              .h = problem.h,
              .w = problem.w,
              .r = problem.r,
              .s = problem.s,
              .stride_h = problem.stride_h,
              .stride_w = problem.stride_w,
              .top = problem.pad.top,
              .left = problem.pad.left,
              .p = problem.p(),
              .q = problem.q(),
              .tile_h = (kDstH - 1) * problem.stride_h + problem.r,
              .tile_w = (kDstW - 1) * problem.stride_w + problem.s,
              .weights = args.weights,
              .scale = {},
              .offset = {}};
  std::copy_n(args.scale, 3, d.scale);
  std::copy_n(args.offset, 3, d.offset);
  const Epilogue<Dst> epilogue = {.bias = args.bias,
                                  .residual = nullptr,
                                  .dst = static_cast<Dst*>(args.dst),
                                  .activation = args.activation,
                                  .rows = 0,
                                  .columns = problem.k};
  const std::int64_t blocks =
      std::int64_t{problem.n} * ((d.q + kDstW - 1) / kDstW) * ((d.p + kDstH * kTiles - 1) / (kDstH * kTiles));
  const std::size_t floats = static_cast<std::size_t>(d.r * d.s * kC * kBankRow + d.tile_h * d.tile_w * kC);
  return launch(conv2d_direct_kernel<Src, Dst, kC>,
                LaunchConfig{.grid = dim3(static_cast<unsigned>(blocks),
                                          static_cast<unsigned>((problem.k + kFilters - 1) / kFilters)),
                             .block = dim3(kThreads),
                             .shared_bytes = floats * sizeof(float),
                             .stream = stream},
                d, static_cast<const Src*>(args.src), epilogue);
}

template <class Src, class Dst>
Status for_channels(const Conv2dProblem& problem, const Conv2dDirectArgs& args, Stream stream) {
  return problem.c == 1 ? start<Src, Dst, 1>(problem, args, stream) : start<Src, Dst, 3>(problem, args, stream);
}
template <class Src>
Status for_dst(const Conv2dProblem& problem, DType dst, const Conv2dDirectArgs& args, Stream stream) {
  return dst == DType::kF32 ? for_channels<Src, float>(problem, args, stream)
                            : for_channels<Src, __nv_bfloat16>(problem, args, stream);
}

}  // namespace

Verdict conv2d_direct_supports(const Conv2dProblem& problem, DType src_type, DType dst_type) {
  if (dst_type == DType::kU8) return Verdict::no("no result of uint8");
  if (const Verdict verdict = conv2d_is_valid(problem, dst_type); !verdict) return verdict;
  if (problem.c != 1 && problem.c != 3) return Verdict::no("the direct kernel is for 1 or 3 channels");
  if (problem.k > 65535 * kFilters) return Verdict::no("more filters than a grid is high");
  (void)src_type;  // all three are read
  return Verdict::yes();
}

Status conv2d_direct(const Conv2dProblem& problem, DType src_type, DType dst_type, const Conv2dDirectArgs& args,
                     Stream stream) {
  if (const Verdict verdict = conv2d_direct_supports(problem, src_type, dst_type); !verdict)
    return Status::failed("conv2d direct: " + verdict.reason());
  if (Status status = check_arrays(
          "conv2d direct", {{"src", args.src}, {"weights", args.weights, 4}, {"dst", args.dst}}, {{"bias", args.bias}});
      !status)
    return status;
  switch (src_type) {
    case DType::kU8:
      return for_dst<unsigned char>(problem, dst_type, args, stream);
    case DType::kBf16:
      return for_dst<__nv_bfloat16>(problem, dst_type, args, stream);
    case DType::kF32:
      return for_dst<float>(problem, dst_type, args, stream);
  }
  return Status::failed("conv2d direct: unknown type");
}

}  // namespace cudacards
