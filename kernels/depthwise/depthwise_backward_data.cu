// diff_src[n,h,w,c] = sum over r,s of diff_dst[n, (h + top - r) / stride, (w + left - s) / stride, c] * weights[c,r,s]
//                     where the divisions leave no remainder and the pixel is in diff_dst
//
//   one thread: kWidth channels of 4 neighbouring pixels of diff_src. Counted from the padding's edge, u = w + left,
//   its first pixel lies on a multiple of the stride, so which tap meets which pixel is known to the compiler:
//
//   stride 1:  x = u0-2  u0-1  u0  u0+1 u0+2 u0+3          stride 2, u0 even:   x = u0/2 - 1   u0/2   u0/2 + 1
//       tap s = 2 .. 0 of diff_src u = x .. x + 2              u even: taps 2 and 0 of x = u/2 - 1 and u/2
//                                                              u odd: tap 1 of x = (u - 1)/2
//
// Each pixel of diff_dst is loaded once a line and slides past, as forward; no pixel of diff_src is written by two
// threads: no atomics. 2 * R * S FLOPs an element of diff_dst; diff_dst read and diff_src written once: memory is the
// limit, as forward.

#include "kernels/base/arrays.h"
#include "kernels/depthwise/tile.cuh"
#include "kernels/simt/shared.h"

namespace cudacards {
namespace {

using namespace depthwise;

template <int kWidth>
using StripSums = RegisterArray<Channels<kWidth>, kStrip>;

/// sum[i] += line[x] * taps[i - (x - first) * kStride] over the x for which there is such a tap. `first` is the pixel
/// of diff_dst whose tap 0 meets the strip's first pixel.
template <int kWidth, int kFilter, int kStride, class T>
__device__ __forceinline__ void slide_along(const T* line, int first, int columns, int channels,
                                            const Channels<kWidth> (&taps)[kFilter], StripSums<kWidth>& sum) {
#pragma unroll
  for (int j = -((kFilter - 1) / kStride); j <= (kStrip - 1) / kStride; ++j) {
    const Channels<kWidth> x = pixel_or_zeros<kWidth>(line, first + j, columns, channels);
#pragma unroll
    for (int i = 0; i < kStrip; ++i) {
      const int s = i - j * kStride;
      if (s >= 0 && s < kFilter) add_product(sum[i], x, taps[s]);
    }
  }
}

template <class T, int kWidth, int kFilter, int kStride>
__global__ void __launch_bounds__(kThreads, kBlocksOfProcessor)
    depthwise_backward_data_kernel(Conv2dProblem p, Tiling tiling, int rows, int columns, const T* diff_dst,
                                   const float* weights, GradMode mode, T* diff_src) {
  static_assert(kWidth <= kPack<T>);
  static_assert(kStrip % kStride == 0, "a strip begins on a multiple of the stride");
  constexpr int kTaps = kFilter * kFilter;
  const FilterTile<kWidth> filter = {tiling.groups, dynamic_shared<float>()};
  const Seat seat = seat_of<kWidth>(tiling);
  const int first_channel = static_cast<int>(blockIdx.y) * tiling.groups * kWidth;
  const int channels = min(tiling.groups * kWidth, p.c - first_channel);
  filter.template stage<kTaps>(0, channels, weights + std::int64_t{first_channel} * kTaps);
  __syncthreads();  // the filters are there; nobody writes them again
  if (seat.channel >= p.c) return;

  visit_strips(tiling, seat, [&](int line, int strip) {  // line = n * H + h
    const int n = line / p.h, v = line - n * p.h + p.pad.top;
    const int first = p.pad.left / kStride + strip * (kStrip / kStride);  // u0 / stride
    StripSums<kWidth> sum = {};
#pragma unroll 1
    for (int r = v % kStride; r < kFilter && r <= v; r += kStride) {
      const int y = (v - r) / kStride;
      if (y >= rows) continue;
      Channels<kWidth> taps[kFilter];
#pragma unroll
      for (int s = 0; s < kFilter; ++s) taps[s] = filter.tap(r * kFilter + s, seat.group);
      const T* diff_line = diff_dst + (std::int64_t{n} * rows + y) * columns * p.c + seat.channel;
      slide_along<kWidth, kFilter, kStride>(diff_line, first, columns, p.c, taps, sum);
    }
    const int w = first * kStride - p.pad.left;  // -1 where the padding is odd and the stride 2
#pragma unroll
    for (int i = 0; i < kStrip; ++i) {
      if (w + i >= 0 && w + i < p.w)
        put_channels(mode, diff_src + (std::int64_t{line} * p.w + w + i) * p.c + seat.channel, sum[i]);
    }
  });
}

}  // namespace

Status depthwise_backward_data(const Conv2dProblem& problem, DType type, const DepthwiseBackwardDataArgs& args,
                               Stream stream, const DepthwiseTuning& tuning) {
  if (const Verdict verdict = depthwise_supports(problem, type); !verdict)
    return Status::failed("depthwise backward data: " + verdict.reason());
  if (args.diff_src_mode == GradMode::kIgnore) return Status::ok();
  if (Status status =
          check_arrays("depthwise backward data",
                       {{"diff_dst", args.diff_dst}, {"weights", args.weights, 4}, {"diff_src", args.diff_src}});
      !status)
    return status;
  return for_shape<8, 4>(problem, type, [&]<class T, class W, class F, class S>(T, W, F, S) {
    const Tiling tiling = tiling_of(problem.c, W::value, std::int64_t{problem.n} * problem.h,
                                    problem.w + problem.pad.left % S::value, tuning.forward_blocks);
    const int floats = FilterTile<W::value>::floats(tiling.groups, F::value * F::value);
    return launch(depthwise_backward_data_kernel<T, W::value, F::value, S::value>, grid_of(tiling, floats, stream),
                  problem, tiling, problem.p(), problem.q(), static_cast<const T*>(args.diff_dst), args.weights,
                  args.diff_src_mode, static_cast<T*>(args.diff_src));
  });
}

}  // namespace cudacards
