// dst (N,P,Q,K) = activation(src (N,H,W,C) * weights (K,R,S,C/groups) + bias), and both gradients, in fp32.
//
//   one thread an element of the result:  dst[n,p,q,k]  |  diff_src[n,h,w,c]  |  diff_weights[k,r,s,c]
//
// Neighbouring threads have neighbouring k or c: their reads of src or diff_dst lie side by side, or are one. Every term
// is read from the caches at best; there is no tile. That is the point: any group, stride and filter, with as little to
// get wrong as the formula has. Sums run in the order of the loops, the same on every machine.

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>

#include "kernels/conv2d/plain.h"
#include "kernels/simt/launch.h"

namespace cudacards {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = std::numeric_limits<int>::max();

/// Of `index` in (outer, rows, columns, inner), the innermost first.
struct Position {
  int n, row, column, channel;
};
__device__ __forceinline__ Position position_of(std::int64_t index, int rows, int columns, int channels) {
  Position at;
  at.channel = static_cast<int>(index % channels);
  index /= channels;
  at.column = static_cast<int>(index % columns);
  index /= columns;
  at.row = static_cast<int>(index % rows);
  at.n = static_cast<int>(index / rows);
  return at;
}

__device__ __forceinline__ std::int64_t thread_of_grid() {
  return std::int64_t{blockIdx.x} * kThreads + static_cast<int>(threadIdx.x);
}

__device__ __forceinline__ std::int64_t src_at(const Conv2dProblem& c, int n, int h, int w) {
  return ((std::int64_t{n} * c.h + h) * c.w + w) * c.c;
}
__device__ __forceinline__ std::int64_t dst_at(const Conv2dProblem& c, int p, int q, int n, int row, int column) {
  return ((std::int64_t{n} * p + row) * q + column) * c.k;
}
__device__ __forceinline__ bool is_inside(int at, int size) { return at >= 0 && at < size; }

/// Sizes that a kernel needs and Conv2dProblem computes on the host.
struct Derived {
  int p, q, c_per_group, k_per_group;
};
Derived derived_of(const Conv2dProblem& c) { return {c.p(), c.q(), c.c_per_group(), c.k_per_group()}; }

__global__ void __launch_bounds__(kThreads)
    conv2d_plain_forward_kernel(Conv2dProblem c, Derived d, std::int64_t elements, Conv2dPlainForwardArgs a) {
  const std::int64_t index = thread_of_grid();
  if (index >= elements) return;
  const Position at = position_of(index, d.p, d.q, c.k);
  const int first_channel = at.channel / d.k_per_group * d.c_per_group;
  float sum = 0;
  for (int r = 0; r < c.r; ++r) {
    const int h = at.row * c.stride_h - c.pad.top + r;
    if (!is_inside(h, c.h)) continue;
    for (int s = 0; s < c.s; ++s) {
      const int w = at.column * c.stride_w - c.pad.left + s;
      if (!is_inside(w, c.w)) continue;
      const float* src = a.src + src_at(c, at.n, h, w) + first_channel;
      const float* weights = a.weights + ((std::int64_t{at.channel} * c.r + r) * c.s + s) * d.c_per_group;
      for (int i = 0; i < d.c_per_group; ++i) sum += src[i] * weights[i];
    }
  }
  if (a.bias != nullptr) sum += a.bias[at.channel];
  a.dst[index] = apply(a.activation, sum);
}

__global__ void __launch_bounds__(kThreads)
    conv2d_plain_backward_data_kernel(Conv2dProblem c, Derived d, std::int64_t elements, Conv2dPlainDataArgs a) {
  const std::int64_t index = thread_of_grid();
  if (index >= elements) return;
  const Position at = position_of(index, c.h, c.w, c.c);
  const int group = at.channel / d.c_per_group, in_group = at.channel % d.c_per_group;
  float sum = 0;
  for (int r = 0; r < c.r; ++r) {
    const int p = at.row + c.pad.top - r;  // times the stride
    if (p < 0 || p % c.stride_h != 0 || p / c.stride_h >= d.p) continue;
    for (int s = 0; s < c.s; ++s) {
      const int q = at.column + c.pad.left - s;
      if (q < 0 || q % c.stride_w != 0 || q / c.stride_w >= d.q) continue;
      const float* diff_dst = a.diff_dst + dst_at(c, d.p, d.q, at.n, p / c.stride_h, q / c.stride_w);
      for (int i = 0; i < d.k_per_group; ++i) {
        const int k = group * d.k_per_group + i;
        sum += diff_dst[k] * a.weights[((std::int64_t{k} * c.r + r) * c.s + s) * d.c_per_group + in_group];
      }
    }
  }
  a.diff_src[index] = a.mode == GradMode::kAccumulate ? a.diff_src[index] + sum : sum;
}

/// Elements 0 ... weights - 1 are the weights', the K behind them the bias's.
__global__ void __launch_bounds__(kThreads)
    conv2d_plain_backward_weights_kernel(Conv2dProblem c, Derived d, std::int64_t weights, std::int64_t elements,
                                         Conv2dPlainWeightsArgs a) {
  const std::int64_t index = thread_of_grid();
  if (index >= elements) return;
  const bool is_bias = index >= weights;
  const Position at = position_of(index, c.r, c.s, d.c_per_group);  // n is the filter, row and column its tap
  const int k = is_bias ? static_cast<int>(index - weights) : at.n;
  const int channel = k / d.k_per_group * d.c_per_group + at.channel;
  float sum = 0;
  for (int n = 0; n < c.n; ++n) {
    for (int p = 0; p < d.p; ++p) {
      const int h = p * c.stride_h - c.pad.top + at.row;
      if (!is_bias && !is_inside(h, c.h)) continue;
      for (int q = 0; q < d.q; ++q) {
        const int w = q * c.stride_w - c.pad.left + at.column;
        if (!is_bias && !is_inside(w, c.w)) continue;
        const float diff = a.diff_dst[dst_at(c, d.p, d.q, n, p, q) + k];
        sum += is_bias ? diff : diff * a.src[src_at(c, n, h, w) + channel];
      }
    }
  }
  float* gradient = is_bias ? a.diff_bias + k : a.diff_weights + index;
  *gradient = a.mode == GradMode::kAccumulate ? *gradient + sum : sum;
}

LaunchConfig grid_of(std::int64_t elements, Stream stream) {
  return {.grid = dim3(static_cast<unsigned>((elements + kThreads - 1) / kThreads)),
          .block = dim3(kThreads),
          .shared_bytes = 0,
          .stream = stream};
}

Status must_have(const Conv2dProblem& problem, std::initializer_list<const void*> arrays) {
  if (const Verdict verdict = conv2d_plain_supports(problem); !verdict)
    return Status::failed("plain convolution: " + verdict.reason());
  const bool all = std::all_of(arrays.begin(), arrays.end(), [](const void* array) { return array != nullptr; });
  return all ? Status::ok() : Status::failed("plain convolution: an array is missing");
}

}  // namespace

Verdict conv2d_plain_supports(const Conv2dProblem& p) {
  if (std::min({p.n, p.h, p.w, p.c, p.k, p.r, p.s, p.stride_h, p.stride_w, p.groups}) < 1)
    return Verdict::no("sizes must be 1 or more");
  if (p.c % p.groups != 0 || p.k % p.groups != 0) return Verdict::no("the groups don't divide C and K");
  if (std::min({p.pad.top, p.pad.left, p.pad.bottom, p.pad.right}) < 0) return Verdict::no("a padding less than 0");
  if (p.r > p.h + p.pad.top + p.pad.bottom || p.s > p.w + p.pad.left + p.pad.right)
    return Verdict::no("the filter is larger than the padded picture");
  if (std::max({p.src_elements(), p.dst_elements(), p.weight_elements() + p.k}) > kMostBlocks * kThreads)
    return Verdict::no("more elements than 2^31 - 1 blocks take");
  return Verdict::yes();
}

Status conv2d_plain_forward(const Conv2dProblem& problem, const Conv2dPlainForwardArgs& args, Stream stream) {
  if (Status status = must_have(problem, {args.src, args.weights, args.dst}); !status) return status;
  const std::int64_t elements = problem.dst_elements();
  return launch(conv2d_plain_forward_kernel, grid_of(elements, stream), problem, derived_of(problem), elements, args);
}

Status conv2d_plain_backward_data(const Conv2dProblem& problem, const Conv2dPlainDataArgs& args, Stream stream) {
  if (args.mode == GradMode::kIgnore) return Status::ok();
  if (Status status = must_have(problem, {args.diff_dst, args.weights, args.diff_src}); !status) return status;
  const std::int64_t elements = problem.src_elements();
  return launch(conv2d_plain_backward_data_kernel, grid_of(elements, stream), problem, derived_of(problem), elements,
                args);
}

Status conv2d_plain_backward_weights(const Conv2dProblem& problem, const Conv2dPlainWeightsArgs& args, Stream stream) {
  if (args.mode == GradMode::kIgnore) return Status::ok();
  if (Status status = must_have(problem, {args.src, args.diff_dst, args.diff_weights}); !status) return status;
  const std::int64_t weights = problem.weight_elements();
  const std::int64_t elements = weights + (args.diff_bias != nullptr ? problem.k : 0);
  return launch(conv2d_plain_backward_weights_kernel, grid_of(elements, stream), problem, derived_of(problem), weights,
                elements, args);
}

}  // namespace cudacards
