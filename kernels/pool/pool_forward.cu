// max pool      dst[n,p,q,c] = max  over i,j of src[n, p * stride_h + i, q * stride_w + j, c]
// average pool  dst[n,p,q,c] = mean over i,j of the same
//
//   src rows  | q = 0 | q = 1 | q = 2 |       a thread has one window and kWidth neighbouring channels: 16 bytes of
//   each
//             +---+---+---+---+---+---+       of its pixels. Neighbouring threads have neighbouring channels, then the
//      top    | x   x |       |       |       next window of the row: a warp reads whole sectors whatever C is, where
//             | x   x |       |       |       C is a multiple of 8 (bf16) or 4 (fp32). Other C: one channel a thread.
//             +---+---+---+---+---+---+
//
// Reads src once (windows that overlap: the second time from a cache), writes dst once and, for the max pool in
// training, one byte an element (four where a window has more than 256: one channel a thread, for completeness): 2x2
// windows in bf16 move 2 + 0.5 + 0.25 bytes for each element of src. One comparison an element: memory is the limit.
// 2x2 has its own code so that its four loads are on their way together.

#include "kernels/pool/launcher.cuh"

namespace cudacards {
namespace {

using pool::kThreads;
using pool::Place;
using pool::place_of;

enum class Window : std::uint8_t { kAny, k2x2 };

/// Calls visit(place, channels) for each element of the window at src, in row order.
template <Window kWindow, int kWidth, class T, class Visit>
__device__ __forceinline__ void visit_window(const Pool2dProblem& p, const T* src, const Visit& visit) {
  const std::int64_t row = std::int64_t{p.w} * p.c;
  if constexpr (kWindow == Window::k2x2) {
    Channels<kWidth> x[4];
#pragma unroll
    for (int place = 0; place < 4; ++place) x[place] = load_channels<kWidth>(src + place / 2 * row + place % 2 * p.c);
#pragma unroll
    for (int place = 0; place < 4; ++place) visit(place, x[place]);
  } else {
    for (int i = 0; i < p.window_h; ++i)
      for (int j = 0; j < p.window_w; ++j) visit(i * p.window_w + j, load_channels<kWidth>(src + i * row + j * p.c));
  }
}

template <class T>
__device__ __forceinline__ const T* window_at(const Pool2dProblem& p, const Place& at, int channel, const T* src) {
  const std::int64_t line = std::int64_t{at.picture} * p.h + at.row * p.stride_h;
  return src + (line * p.w + at.column * p.stride_w) * p.c + channel;
}

template <class T, int kWidth, Window kWindow, class Winner>
__global__ void __launch_bounds__(kThreads)
    max_pool_forward_kernel(Pool2dProblem p, unsigned rows, unsigned columns, unsigned items, const T* src, T* dst,
                            Winner* argmax) {
  static_assert(kWidth == 1 || kWidth == kPack<T>);
  const unsigned groups = static_cast<unsigned>(p.c) / kWidth;
  for (unsigned item = blockIdx.x * kThreads + threadIdx.x; item < items; item += gridDim.x * kThreads) {
    const Place at = place_of(item, rows, columns, groups);
    Channels<kWidth> best = {};
    Vec<Winner, kWidth> winner = {};
    visit_window<kWindow, kWidth>(
        p, window_at(p, at, static_cast<int>(at.group) * kWidth, src), [&](int place, const Channels<kWidth>& x) {
#pragma unroll
          for (int i = 0; i < kWidth; ++i) {
            // A NaN wins over numbers and is never beaten; `>` alone would lose it.
            const bool wins = place == 0 || x[i] > best[i] || (x[i] != x[i] && best[i] == best[i]);
            best[i] = wins ? x[i] : best[i];
            winner[i] = wins ? static_cast<Winner>(place) : winner[i];
          }
        });
    store_channels(dst + std::int64_t{item} * kWidth, best);
    if (argmax != nullptr) store_vector(argmax + std::int64_t{item} * kWidth, winner);
  }
}

template <class T, int kWidth, Window kWindow>
__global__ void __launch_bounds__(kThreads)
    average_pool_forward_kernel(Pool2dProblem p, unsigned rows, unsigned columns, unsigned items, const T* src,
                                T* dst) {
  static_assert(kWidth == 1 || kWidth == kPack<T>);
  const unsigned groups = static_cast<unsigned>(p.c) / kWidth;
  const auto count = static_cast<float>(p.window_h * p.window_w);
  for (unsigned item = blockIdx.x * kThreads + threadIdx.x; item < items; item += gridDim.x * kThreads) {
    const Place at = place_of(item, rows, columns, groups);
    Channels<kWidth> sum = {};
    visit_window<kWindow, kWidth>(p, window_at(p, at, static_cast<int>(at.group) * kWidth, src),
                                  [&](int, const Channels<kWidth>& x) {
#pragma unroll
                                    for (int i = 0; i < kWidth; ++i) sum[i] += x[i];
                                  });
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sum[i] /= count;
    store_channels(dst + std::int64_t{item} * kWidth, sum);
  }
}

bool is_2x2(const Pool2dProblem& p) { return p.window_h == 2 && p.window_w == 2; }

}  // namespace

Verdict max_pool_supports(const Pool2dProblem& problem, DType type) { return pool::supports_windows(problem, type); }

Verdict average_pool_supports(const Pool2dProblem& problem, DType type) {
  return pool::supports_windows(problem, type);
}

Status max_pool_forward(const Pool2dProblem& problem, DType type, const MaxPoolForwardArgs& args, Stream stream,
                        const PoolTuning& tuning) {
  if (const Verdict verdict = max_pool_supports(problem, type); !verdict)
    return Status::failed("max pool: " + verdict.reason());
  if (Status status = check_arrays("max pool", {{"src", args.src}, {"dst", args.dst}}, {{"argmax", args.argmax}});
      !status)
    return status;
  const auto start = [&]<class T, class W, class Winner>(T, W, Winner) {
    auto kernel = max_pool_forward_kernel<T, W::kValue, Window::kAny, Winner>;
    if constexpr (sizeof(Winner) == 1) {
      if (is_2x2(problem)) kernel = max_pool_forward_kernel<T, W::kValue, Window::k2x2, Winner>;
    }
    const std::int64_t items = problem.dst_elements() / W::kValue;
    return launch(kernel, pool::grid_of(items, tuning, stream), problem, static_cast<unsigned>(problem.p()),
                  static_cast<unsigned>(problem.q()), static_cast<unsigned>(items), static_cast<const T*>(args.src),
                  static_cast<T*>(args.dst), static_cast<Winner*>(args.argmax));
  };
  return pool::for_type_width_and_winner(type, problem, start);
}

Status average_pool_forward(const Pool2dProblem& problem, DType type, const AveragePoolForwardArgs& args, Stream stream,
                            const PoolTuning& tuning) {
  if (const Verdict verdict = average_pool_supports(problem, type); !verdict)
    return Status::failed("average pool: " + verdict.reason());
  if (Status status = check_arrays("average pool", {{"src", args.src}, {"dst", args.dst}}); !status) return status;
  return pool::for_type_and_width(type, problem.c, [&]<class T, class W>(T, W) {
    const auto kernel = is_2x2(problem) ? average_pool_forward_kernel<T, W::kValue, Window::k2x2>
                                        : average_pool_forward_kernel<T, W::kValue, Window::kAny>;
    const std::int64_t items = problem.dst_elements() / W::kValue;
    return launch(kernel, pool::grid_of(items, tuning, stream), problem, static_cast<unsigned>(problem.p()),
                  static_cast<unsigned>(problem.q()), static_cast<unsigned>(items), static_cast<const T*>(args.src),
                  static_cast<T*>(args.dst));
  });
}

}  // namespace cudacards
