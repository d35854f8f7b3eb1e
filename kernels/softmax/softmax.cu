// dst = exp(src - max) / sum(exp(src - max)) of each row of (rows, classes), and
// diff_src = dst * (diff_dst - sum(diff_dst * dst)).
//
//   up to 1024 classes              more
//   warp 0   | row 4b     |         block b of 256 threads | row b ............ |
//   warp 1   | row 4b + 1 |         reads the row three times (backward: both rows twice), the first from memory and
//   ...        in registers         the others from L2
//
// Forward moves 2 * rows * classes elements, backward 3; five FLOPs an element: memory, and for the few rows of a
// training step the latency of one load and ten shuffles.

#include <cmath>

#include "kernels/base/arrays.h"
#include "kernels/simt/launch.h"
#include "kernels/simt/shared.h"
#include "kernels/softmax/rows.cuh"
#include "kernels/softmax/softmax.h"

namespace cudacards {
namespace {

template <class Row>
__device__ __forceinline__ void softmax_of(const Row& src, typename Row::Element* dst) {
  float largest = -INFINITY;
  src.each([&](int, float x) { largest = fmaxf(largest, x); });
  largest = src.max(largest);
  float sum = 0.0f;
  src.each([&](int, float x) { sum += expf(x - largest); });
  const float scale = 1.0f / src.sum(sum);
  src.write(GradMode::kOverwrite, dst, [&](int, float x) { return expf(x - largest) * scale; });
}

template <class Row>
__device__ __forceinline__ void softmax_backward_of(const Row& dst, const Row& diff_dst, GradMode mode,
                                                    typename Row::Element* diff_src) {
  float sum = 0.0f;
  dst.each([&](int, float y, float g) { sum += y * g; }, diff_dst);
  sum = dst.sum(sum);
  dst.write(
      mode, diff_src, [&](int, float y, float g) { return y * (g - sum); }, diff_dst);
}

constexpr int kWarpBlock = kWarpsOfRows * kWarpSize;

template <class T, int kPerLane>
__global__ void __launch_bounds__(kWarpBlock) softmax_warp_kernel(SoftmaxProblem p, const T* src, T* dst) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarpsOfRows + warp_index();
  if (row >= p.rows) return;  // the whole warp; no barrier follows
  softmax_of(WarpRow<T, kPerLane>(src + row * p.classes, p.classes), dst + row * p.classes);
}

template <class T, int kVector>
__global__ void __launch_bounds__(kThreadsOfRow) softmax_block_kernel(SoftmaxProblem p, const T* src, T* dst) {
  const std::int64_t first = std::int64_t{blockIdx.x} * p.classes;
  softmax_of(BlockRow<T, kVector>(src + first, p.classes, shared<RowScratch>()), dst + first);
}

template <class T, int kPerLane>
__global__ void __launch_bounds__(kWarpBlock)
    softmax_backward_warp_kernel(SoftmaxProblem p, const T* dst, const T* diff_dst, GradMode mode, T* diff_src) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarpsOfRows + warp_index();
  if (row >= p.rows) return;  // the whole warp; no barrier follows
  const std::int64_t first = row * p.classes;
  using Row = WarpRow<T, kPerLane>;
  softmax_backward_of(Row(dst + first, p.classes), Row(diff_dst + first, p.classes), mode, diff_src + first);
}

template <class T, int kVector>
__global__ void __launch_bounds__(kThreadsOfRow)
    softmax_backward_block_kernel(SoftmaxProblem p, const T* dst, const T* diff_dst, GradMode mode, T* diff_src) {
  RowScratch& scratch = shared<RowScratch>();
  const std::int64_t first = std::int64_t{blockIdx.x} * p.classes;
  using Row = BlockRow<T, kVector>;
  softmax_backward_of(Row(dst + first, p.classes, scratch), Row(diff_dst + first, p.classes, scratch), mode,
                      diff_src + first);
}

LaunchConfig warp_a_row(const SoftmaxProblem& p, Stream stream) {
  const std::int64_t blocks = (p.rows + kWarpsOfRows - 1) / kWarpsOfRows;
  return {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kWarpBlock), .shared_bytes = 0, .stream = stream};
}
LaunchConfig block_a_row(const SoftmaxProblem& p, Stream stream) {
  return {
      .grid = dim3(static_cast<unsigned>(p.rows)), .block = dim3(kThreadsOfRow), .shared_bytes = 0, .stream = stream};
}

template <class T>
Status forward(const SoftmaxProblem& p, const SoftmaxArgs& args, Stream stream) {
  const auto* src = static_cast<const T*>(args.src);
  auto* dst = static_cast<T*>(args.dst);
  const auto start = [&](auto kernel, const LaunchConfig& config) { return launch(kernel, config, p, src, dst); };
  if (p.classes <= kShortRow) return start(softmax_warp_kernel<T, kShortRow / kWarpSize>, warp_a_row(p, stream));
  if (p.classes <= kMiddleRow) return start(softmax_warp_kernel<T, kMiddleRow / kWarpSize>, warp_a_row(p, stream));
  if (p.classes <= kLongestWarpRow)
    return start(softmax_warp_kernel<T, kLongestWarpRow / kWarpSize>, warp_a_row(p, stream));
  if (p.classes % kRowVector<T> == 0) return start(softmax_block_kernel<T, kRowVector<T>>, block_a_row(p, stream));
  return start(softmax_block_kernel<T, 1>, block_a_row(p, stream));
}

template <class T>
Status backward(const SoftmaxProblem& p, const SoftmaxBackwardArgs& args, Stream stream) {
  const auto start = [&](auto kernel, const LaunchConfig& config) {
    return launch(kernel, config, p, static_cast<const T*>(args.dst), static_cast<const T*>(args.diff_dst), args.mode,
                  static_cast<T*>(args.diff_src));
  };
  if (p.classes <= kShortRow)
    return start(softmax_backward_warp_kernel<T, kShortRow / kWarpSize>, warp_a_row(p, stream));
  if (p.classes <= kMiddleRow)
    return start(softmax_backward_warp_kernel<T, kMiddleRow / kWarpSize>, warp_a_row(p, stream));
  if (p.classes <= kLongestWarpRow)
    return start(softmax_backward_warp_kernel<T, kLongestWarpRow / kWarpSize>, warp_a_row(p, stream));
  if (p.classes % kRowVector<T> == 0)
    return start(softmax_backward_block_kernel<T, kRowVector<T>>, block_a_row(p, stream));
  return start(softmax_backward_block_kernel<T, 1>, block_a_row(p, stream));
}

}  // namespace

Verdict softmax_supports(const SoftmaxProblem& problem, DType type) {
  if (type != DType::kF32 && type != DType::kBf16) return Verdict::no(std::string("no softmax of ") + name_of(type));
  if (problem.classes < 1) return Verdict::no("a row needs one class at least");
  if (problem.classes > 1 << 30) return Verdict::no("more than 2^30 classes: positions in a row have 31 bits");
  if (problem.rows < 0 || problem.rows >= std::int64_t{1} << 31) return Verdict::no("rows must be 0 ... 2^31 - 1");
  return Verdict::yes();
}

Status softmax(const SoftmaxProblem& problem, DType type, const SoftmaxArgs& args, Stream stream) {
  if (const Verdict verdict = softmax_supports(problem, type); !verdict)
    return Status::failed("softmax: " + verdict.reason());
  if (problem.rows == 0) return Status::ok();
  if (Status status = check_arrays("softmax", {{"src", args.src}, {"dst", args.dst}}); !status) return status;
  return type == DType::kF32 ? forward<float>(problem, args, stream) : forward<__nv_bfloat16>(problem, args, stream);
}

Status softmax_backward(const SoftmaxProblem& problem, DType type, const SoftmaxBackwardArgs& args, Stream stream) {
  if (const Verdict verdict = softmax_supports(problem, type); !verdict)
    return Status::failed("softmax_backward: " + verdict.reason());
  if (problem.rows == 0 || args.mode == GradMode::kIgnore) return Status::ok();
  if (Status status = check_arrays("softmax_backward",
                                   {{"dst", args.dst}, {"diff_dst", args.diff_dst}, {"diff_src", args.diff_src}});
      !status)
    return status;
  return type == DType::kF32 ? backward<float>(problem, args, stream) : backward<__nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards
