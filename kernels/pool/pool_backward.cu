// max pool      diff_src[n,h,w,c] = sum of diff_dst[n,p,q,c] over the windows (p,q) that (h,w) won
// average pool  diff_src[n,h,w,c] = sum of diff_dst[n,p,q,c] over the windows (p,q) that hold (h,w), / window size
//
//                   |---- p - 1 ----|              gather: a thread has one pixel of src and kWidth channels and asks
//   h:  0   1   2   3   4   5   6   7              the windows p with p * stride <= h < p * stride + window, in row
//   order.
//                           |---- p ----|          Windows may overlap; nobody adds to memory that another one adds to,
//                           ^ h                    so there are no atomics and the sum's order is fixed.
//
// Writes diff_src once and reads diff_dst (and one byte of argmax an element) once from memory; the other threads of a
// window find it in a cache: 2x2 windows in bf16 move 2 + 0.5 + 0.25 bytes for each element of diff_src. Memory is the
// limit.

#include "kernels/pool/launcher.cuh"

namespace cudacards {
namespace {

using pool::kThreads;
using pool::Place;
using pool::place_of;

/// The windows along one axis that hold position x: first ... last; none where last < first.
struct Windows {
  int first, last;
};
__device__ __forceinline__ Windows windows_of(int x, int window, int stride, int count) {
  const int before = x - window;  // windows that begin there or earlier end before x
  const int first = before < 0 ? 0 : before / stride + 1, last = x / stride;
  return {first, last < count ? last : count - 1};
}

/// Calls visit(element of dst, place of the pixel in that window) for each window that holds the item's pixel.
template <int kWidth, class Visit>
__device__ __forceinline__ void visit_windows(const Pool2dProblem& p, int rows, int columns, const Place& at,
                                              const Visit& visit) {
  const int h = static_cast<int>(at.row), w = static_cast<int>(at.column);
  const Windows y = windows_of(h, p.window_h, p.stride_h, rows), x = windows_of(w, p.window_w, p.stride_w, columns);
  for (int i = y.first; i <= y.last; ++i) {
    for (int j = x.first; j <= x.last; ++j) {
      const std::int64_t pixel = (std::int64_t{at.picture} * rows + i) * columns + j;
      visit(pixel * p.c + at.group * kWidth, (h - i * p.stride_h) * p.window_w + w - j * p.stride_w);
    }
  }
}

template <class T, int kWidth, class Winner>
__global__ void __launch_bounds__(kThreads)
    max_pool_backward_kernel(Pool2dProblem p, int rows, int columns, unsigned items, const T* diff_dst,
                             const Winner* argmax, GradMode mode, T* diff_src) {
  static_assert(kWidth == 1 || kWidth == kPack<T>);
  const unsigned groups = static_cast<unsigned>(p.c) / kWidth;
  for (unsigned item = blockIdx.x * kThreads + threadIdx.x; item < items; item += gridDim.x * kThreads) {
    const Place at = place_of(item, static_cast<unsigned>(p.h), static_cast<unsigned>(p.w), groups);
    Channels<kWidth> sum = {};
    visit_windows<kWidth>(p, rows, columns, at, [&](std::int64_t element, int place) {
      const Vec<Winner, kWidth> winner = load_vector<kWidth>(argmax + element);
      const Channels<kWidth> gradient = load_channels<kWidth>(diff_dst + element);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) sum[i] += winner[i] == static_cast<Winner>(place) ? gradient[i] : 0.0f;
    });
    put_channels(mode, diff_src + std::int64_t{item} * kWidth, sum);
  }
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    average_pool_backward_kernel(Pool2dProblem p, int rows, int columns, unsigned items, const T* diff_dst,
                                 GradMode mode, T* diff_src) {
  static_assert(kWidth == 1 || kWidth == kPack<T>);
  const unsigned groups = static_cast<unsigned>(p.c) / kWidth;
  const auto count = static_cast<float>(p.window_h * p.window_w);
  for (unsigned item = blockIdx.x * kThreads + threadIdx.x; item < items; item += gridDim.x * kThreads) {
    const Place at = place_of(item, static_cast<unsigned>(p.h), static_cast<unsigned>(p.w), groups);
    Channels<kWidth> sum = {};
    visit_windows<kWidth>(p, rows, columns, at, [&](std::int64_t element, int) {
      const Channels<kWidth> gradient = load_channels<kWidth>(diff_dst + element);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) sum[i] += gradient[i];
    });
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sum[i] /= count;
    put_channels(mode, diff_src + std::int64_t{item} * kWidth, sum);
  }
}

}  // namespace

Status max_pool_backward(const Pool2dProblem& problem, DType type, const MaxPoolBackwardArgs& args, Stream stream,
                         const PoolTuning& tuning) {
  if (const Verdict verdict = max_pool_supports(problem, type); !verdict)
    return Status::failed("max pool backward: " + verdict.reason());
  if (args.diff_src_mode == GradMode::kIgnore) return Status::ok();
  if (Status status = check_arrays("max pool backward",
                                   {{"diff_dst", args.diff_dst}, {"argmax", args.argmax}, {"diff_src", args.diff_src}});
      !status)
    return status;
  const auto start = [&]<class T, class W, class Winner>(T, W, Winner) {
    const std::int64_t items = problem.src_elements() / W::kValue;
    return launch(max_pool_backward_kernel<T, W::kValue, Winner>, pool::grid_of(items, tuning, stream), problem,
                  problem.p(), problem.q(), static_cast<unsigned>(items), static_cast<const T*>(args.diff_dst),
                  static_cast<const Winner*>(args.argmax), args.diff_src_mode, static_cast<T*>(args.diff_src));
  };
  return pool::for_type_width_and_winner(type, problem, start);
}

Status average_pool_backward(const Pool2dProblem& problem, DType type, const AveragePoolBackwardArgs& args,
                             Stream stream, const PoolTuning& tuning) {
  if (const Verdict verdict = average_pool_supports(problem, type); !verdict)
    return Status::failed("average pool backward: " + verdict.reason());
  if (args.diff_src_mode == GradMode::kIgnore) return Status::ok();
  if (Status status = check_arrays("average pool backward", {{"diff_dst", args.diff_dst}, {"diff_src", args.diff_src}});
      !status)
    return status;
  return pool::for_type_and_width(type, problem.c, [&]<class T, class W>(T, W) {
    const std::int64_t items = problem.src_elements() / W::kValue;
    return launch(average_pool_backward_kernel<T, W::kValue>, pool::grid_of(items, tuning, stream), problem,
                  problem.p(), problem.q(), static_cast<unsigned>(items), static_cast<const T*>(args.diff_dst),
                  args.diff_src_mode, static_cast<T*>(args.diff_src));
  });
}

}  // namespace cudacards
