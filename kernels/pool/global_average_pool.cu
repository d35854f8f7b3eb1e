// forward   dst[n,c] = (sum over i of src[n,i,c]) / pixels
// backward  diff_src[n,i,c] = diff_dst[n,c] / pixels
//
//   block: one picture, 8 groups of kWidth channels (128 bytes), 16 rows of threads
//
//        group 0 .. 7                     row y adds up the pixels y, y + 16, y + 32, ... of its channels: 49 pixels
//   y=0  | 16 B | 16 B | ...              are 4 loads a thread, all on their way at once. Then the rows' sums go to
//   y=1  | 16 B | 16 B | ...    pixels    shared memory, and one thread a channel adds up the 16 of them, first row to
//   last:
//   ...                                   the order is fixed by the problem.
//
// Forward reads N * pixels * C elements once and writes N * C; backward the reverse. One addition an element: memory is
// the limit.

#include "kernels/pool/launcher.cuh"
#include "kernels/simt/shared.h"

namespace cudacards {
namespace {

using pool::kThreads;

constexpr int kGroups = 8;  // times 16 bytes: a cache line of a pixel
constexpr int kRows = 16;
constexpr int kForwardThreads = kGroups * kRows;

template <int kWidth>
struct Sums {
  static_assert(kGroups * kWidth <= kForwardThreads, "one thread a channel adds up the rows");
  float tile[ChannelTile<kWidth>::floats(kForwardThreads)];
};

/// One thread's share: pixels first, first + kRows, ... of its channels.
template <int kWidth, class T>
__device__ __forceinline__ Channels<kWidth> sum_of_pixels(const GlobalPoolProblem& p, int first, const T* src) {
  Channels<kWidth> sum = {};
#pragma unroll 4
  for (int pixel = first; pixel < p.pixels; pixel += kRows) {
    const Channels<kWidth> x = load_channels<kWidth>(src + std::int64_t{pixel} * p.c);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sum[i] += x[i];
  }
  return sum;
}

/// The sum over the block's rows of channel `channel` (0 ... kGroups * kWidth - 1) of the block.
template <int kWidth>
__device__ __forceinline__ float sum_of_rows(const Sums<kWidth>& sums, int channel) {
  float sum = 0;
#pragma unroll
  for (int y = 0; y < kRows; ++y) {
    const int seat = y * kGroups + channel / kWidth;
    sum += sums.tile[ChannelTile<kWidth>::at(kForwardThreads, seat, channel % kWidth)];
  }
  return sum;
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kForwardThreads)
    global_average_pool_forward_kernel(GlobalPoolProblem p, const T* src, T* dst) {
  Sums<kWidth>& sums = shared<Sums<kWidth>>();
  const std::int64_t picture = blockIdx.x;
  const int thread = static_cast<int>(threadIdx.x);
  const int first = static_cast<int>(blockIdx.y) * kGroups * kWidth;  // the block's first channel
  const int c = first + thread % kGroups * kWidth;
  Channels<kWidth> sum = {};
  if (c < p.c) sum = sum_of_pixels<kWidth>(p, thread / kGroups, src + picture * p.pixels * p.c + c);
  ChannelTile<kWidth>::store(sums.tile, kForwardThreads, thread, sum);
  __syncthreads();  // all rows' sums are there
  if (thread >= kGroups * kWidth || first + thread >= p.c) return;
  dst[picture * p.c + first + thread] = from_float<T>(sum_of_rows(sums, thread) / static_cast<float>(p.pixels));
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    global_average_pool_backward_kernel(GlobalPoolProblem p, unsigned items, const T* diff_dst, GradMode mode,
                                        T* diff_src) {
  const unsigned groups = static_cast<unsigned>(p.c) / kWidth, groups_of_picture = groups * p.pixels;
  for (unsigned item = blockIdx.x * kThreads + threadIdx.x; item < items; item += gridDim.x * kThreads) {
    const std::int64_t from = std::int64_t{item / groups_of_picture} * groups + item % groups;
    Channels<kWidth> gradient = load_channels<kWidth>(diff_dst + from * kWidth);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) gradient[i] /= static_cast<float>(p.pixels);
    put_channels(mode, diff_src + std::int64_t{item} * kWidth, gradient);
  }
}

}  // namespace

Verdict global_average_pool_supports(const GlobalPoolProblem& problem, DType type) {
  if (Verdict verdict = pool::supports_type(type); !verdict) return verdict;
  if (std::min({problem.n, problem.pixels, problem.c}) < 1) return Verdict::no("sizes must be 1 or more");
  if (product_exceeds(pool::kMostItems, {problem.n, problem.pixels, problem.c}))
    return Verdict::no("more than 2^31 elements");
  if (problem.c > kGroups * 65535) return Verdict::no("more than 524280 channels");
  return Verdict::yes();
}

Status global_average_pool_forward(const GlobalPoolProblem& problem, DType type, const AveragePoolForwardArgs& args,
                                   Stream stream) {
  if (const Verdict verdict = global_average_pool_supports(problem, type); !verdict)
    return Status::failed("global average pool: " + verdict.reason());
  if (Status status = check_arrays("global average pool", {{"src", args.src}, {"dst", args.dst}}); !status)
    return status;
  return pool::for_type_and_width(type, problem.c, [&]<class T, class W>(T, W) {
    const int channels = kGroups * W::kValue;
    const LaunchConfig config = {
        .grid = dim3(static_cast<unsigned>(problem.n), static_cast<unsigned>((problem.c + channels - 1) / channels)),
        .block = dim3(kForwardThreads),
        .shared_bytes = 0,
        .stream = stream};
    return launch(global_average_pool_forward_kernel<T, W::kValue>, config, problem, static_cast<const T*>(args.src),
                  static_cast<T*>(args.dst));
  });
}

Status global_average_pool_backward(const GlobalPoolProblem& problem, DType type, const AveragePoolBackwardArgs& args,
                                    Stream stream, const PoolTuning& tuning) {
  if (const Verdict verdict = global_average_pool_supports(problem, type); !verdict)
    return Status::failed("global average pool backward: " + verdict.reason());
  if (args.diff_src_mode == GradMode::kIgnore) return Status::ok();
  if (Status status =
          check_arrays("global average pool backward", {{"diff_dst", args.diff_dst}, {"diff_src", args.diff_src}});
      !status)
    return status;
  return pool::for_type_and_width(type, problem.c, [&]<class T, class W>(T, W) {
    const std::int64_t items = problem.src_elements() / W::kValue;
    return launch(global_average_pool_backward_kernel<T, W::kValue>, pool::grid_of(items, tuning, stream), problem,
                  static_cast<unsigned>(items), static_cast<const T*>(args.diff_dst), args.diff_src_mode,
                  static_cast<T*>(args.diff_src));
  });
}

}  // namespace cudacards
