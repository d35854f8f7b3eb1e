// dst[n,p,q,c] = activation(scale[c] * sum over r,s of src[n, p*stride - top + r, q*stride - left + s, c]
//                                                   * weights[c,r,s]  + shift[c])
//
//   one thread: kWidth channels (16 bytes; 4 channels where the filter is 5x5) of 4 neighbouring pixels of a
//   line of dst
//
//   src line r   x0  x1  x2  x3  x4  x5         each pixel is loaded once and slides past: x2 is tap 2 of dst 0, tap 1
//                 \___|___/   |   |   |         of dst 1, tap 0 of dst 2. (3x3, stride 1; stride 2: 9 pixels.)
//   dst line        d0  d1  d2  d3
//
// The sums stay in registers (4 * kWidth), the taps of a line too, from shared memory where the block keeps its
// channels' filters; then the next r. Blocks are described in tile.cuh.
//
// 2 * R * S FLOPs for each element of dst; src read once from memory (R times from a cache, 1.5 times along the line)
// and dst written once: 3x3, stride 1 in bf16 are 18 FLOPs for 4 bytes: memory is the limit; 5x5 in bf16 (50 for 4)
// comes near the fp32 units'.
//
// What did not pay: 8 channels a thread for 5x5 in bf16: 16 to 128 bytes of spills at 128 registers.

#include "kernels/base/arrays.h"
#include "kernels/base/sizes.h"
#include "kernels/depthwise/tile.cuh"
#include "kernels/simt/shared.h"

namespace cudacards {
namespace {

using namespace depthwise;

template <int kWidth>
using StripSums = RegisterArray<Channels<kWidth>, kStrip>;

/// sum[i] += line[first + i * kStride + s] * taps[s] over s, for the strip's pixels i.
template <int kWidth, int kFilter, int kStride, class T>
__device__ __forceinline__ void slide_along(const T* line, int first, const Conv2dProblem& p,
                                            const Channels<kWidth> (&taps)[kFilter], StripSums<kWidth>& sum) {
#pragma unroll
  for (int j = 0; j < (kStrip - 1) * kStride + kFilter; ++j) {
    const Channels<kWidth> x = pixel_or_zeros<kWidth>(line, first + j, p.w, p.c);
#pragma unroll
    for (int i = 0; i < kStrip; ++i) {
      const int s = j - i * kStride;
      if (s >= 0 && s < kFilter) add_product(sum[i], x, taps[s]);
    }
  }
}

template <int kWidth, class T>
__device__ __forceinline__ void finish(const FilterTile<kWidth>& filter, int first_tap, int group,
                                       Activation activation, Channels<kWidth> sum, T* dst) {
  const Channels<kWidth> scale = filter.tap(first_tap, group), shift = filter.tap(first_tap + 1, group);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sum[i] = apply(activation, fmaf(sum[i], scale[i], shift[i]));
  store_channels(dst, sum);
}

template <class T, int kWidth, int kFilter, int kStride>
__global__ void __launch_bounds__(kThreads, kBlocksOfProcessor)
    depthwise_forward_kernel(Conv2dProblem p, Tiling tiling, int rows, int columns, const T* src, const float* weights,
                             const float* scale, const float* shift, Activation activation, T* dst) {
  static_assert(kWidth <= kPack<T>);
  constexpr int kTaps = kFilter * kFilter;  // behind them scale and shift
  const FilterTile<kWidth> filter = {tiling.groups, dynamic_shared<float>()};
  const Seat seat = seat_of<kWidth>(tiling);
  const int first_channel = static_cast<int>(blockIdx.y) * tiling.groups * kWidth;
  const int channels = min(tiling.groups * kWidth, p.c - first_channel);
  filter.template stage<kTaps>(0, channels, weights + std::int64_t{first_channel} * kTaps);
  if (scale != nullptr) {
    filter.template stage<1>(kTaps, channels, scale + first_channel);
  } else {
    filter.fill(kTaps, channels, 1);
  }
  if (shift != nullptr) {
    filter.template stage<1>(kTaps + 1, channels, shift + first_channel);
  } else {
    filter.fill(kTaps + 1, channels, 0);
  }
  __syncthreads();  // the filters are there; nobody writes them again
  if (seat.channel >= p.c) return;

  visit_strips(tiling, seat, [&](int line, int strip) {  // line = n * P + p
    const int q = strip * kStrip, first = q * kStride - p.pad.left;
    const int n = line / rows, top = (line - n * rows) * kStride - p.pad.top;
    StripSums<kWidth> sum = {};
#pragma unroll 1
    for (int r = max(0, -top); r < min(kFilter, p.h - top); ++r) {
      Channels<kWidth> taps[kFilter];
#pragma unroll
      for (int s = 0; s < kFilter; ++s) taps[s] = filter.tap(r * kFilter + s, seat.group);
      const T* src_line = src + (std::int64_t{n} * p.h + top + r) * p.w * p.c + seat.channel;
      slide_along<kWidth, kFilter, kStride>(src_line, first, p, taps, sum);
    }
    T* pixel = dst + (std::int64_t{line} * columns + q) * p.c + seat.channel;
#pragma unroll
    for (int i = 0; i < kStrip; ++i) {
      if (q + i < columns) finish(filter, kTaps, seat.group, activation, sum[i], pixel + std::int64_t{i} * p.c);
    }
  });
}

}  // namespace

Verdict depthwise_supports(const Conv2dProblem& problem, DType type) {
  const Conv2dProblem& p = problem;
  constexpr std::int64_t kMostPixels = (std::int64_t{1} << 31) - (1 << 18);  // so that padded sizes are ints
  constexpr int kMostPadding = 1 << 16;
  if (type != DType::kF32 && type != DType::kBf16)
    return Verdict::no(std::string("no depthwise convolution of ") + name_of(type));
  if (p.groups != p.c || p.k != p.c) return Verdict::no("not depthwise: groups, C and K differ");
  if (p.r != p.s || (p.r != 3 && p.r != 5)) return Verdict::no("filters other than 3x3 and 5x5");
  if (p.stride_h != p.stride_w || (p.stride_h != 1 && p.stride_h != 2))
    return Verdict::no("strides other than 1 and 2");
  if (std::min({p.pad.top, p.pad.left, p.pad.bottom, p.pad.right}) < 0) return Verdict::no("a padding less than 0");
  if (std::max({p.pad.top, p.pad.left, p.pad.bottom, p.pad.right}) > kMostPadding)
    return Verdict::no("a padding above 2^16");
  if (std::min({p.n, p.h, p.w, p.c}) < 1) return Verdict::no("sizes must be 1 or more");
  if (product_exceeds(kMostPixels, {p.n, p.h, std::int64_t{p.w} + 1})) return Verdict::no("2^31 pixels or more");
  if (p.h + p.pad.top + p.pad.bottom < p.r || p.w + p.pad.left + p.pad.right < p.s)
    return Verdict::no("the filter is larger than the padded picture");
  if (p.c > 65535) return Verdict::no("more than 65535 channels");
  if (product_exceeds(kMostPixels, {p.n, p.p(), p.q()})) return Verdict::no("2^31 pixels or more");
  return Verdict::yes();
}

Status depthwise_forward(const Conv2dProblem& problem, DType type, const DepthwiseForwardArgs& args, Stream stream,
                         const DepthwiseTuning& tuning) {
  if (const Verdict verdict = depthwise_supports(problem, type); !verdict)
    return Status::failed("depthwise: " + verdict.reason());
  if (Status status = check_arrays("depthwise", {{"src", args.src}, {"weights", args.weights, 4}, {"dst", args.dst}},
                                   {{"scale", args.scale, 4}, {"shift", args.shift, 4}});
      !status)
    return status;
  return for_shape<8, 4>(problem, type, [&]<class T, class W, class F, class S>(T, W, F, S) {
    const Tiling tiling =
        tiling_of(problem.c, W::value, std::int64_t{problem.n} * problem.p(), problem.q(), tuning.forward_blocks);
    const int floats = FilterTile<W::value>::floats(tiling.groups, F::value * F::value + 2);
    return launch(depthwise_forward_kernel<T, W::value, F::value, S::value>, grid_of(tiling, floats, stream), problem,
                  tiling, problem.p(), problem.q(), static_cast<const T*>(args.src), args.weights, args.scale,
                  args.shift, args.activation, static_cast<T*>(args.dst));
  });
}

}  // namespace cudacards
