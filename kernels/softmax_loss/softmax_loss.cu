// Of each row of logits (batch, classes), with z = x - max x, s = sum exp z, share = smoothing / classes:
//
//   row_loss    = log s - (1 - smoothing) * z[label] - share * sum z         (targets sum to one)
//   diff_logits = (exp z / s - share - (1 - smoothing) [i = label]) / rows
//
//   up to 1024 classes              more
//   warp 0   | row 4b     |         block b of 256 threads | row b ............ |
//   warp 1   | row 4b + 1 |         reads the row three times, the first from memory and the others from L2
//   ...        in registers
//
// Every z is 0 or less, so the sums have one sign and lose nothing by cancellation. Moves the logits once in and the
// gradient once out; nine FLOPs an element. The batches of a training step are small (256 rows of 53 classes are 54 KB
// in fp32): the latency of one load and some twenty-five shuffles decides.
// Summing the loss in here would take an atomic per row or a second kernel; the second keeps the order fixed.

#include <cmath>

#include "kernels/base/arrays.h"
#include "kernels/simt/launch.h"
#include "kernels/simt/shared.h"
#include "kernels/softmax/rows.cuh"
#include "kernels/softmax_loss/softmax_loss.h"

namespace cudacards {
namespace {

constexpr int kNobody = 0x7fffffff;  // beyond every position in a row

__device__ __forceinline__ int counted_rows(const SoftmaxLossProblem& p, const std::int32_t* rows) {
  const int batch = static_cast<int>(p.batch);
  return rows == nullptr ? batch : min(*rows, batch);
}

template <class Row>
__device__ __forceinline__ void ignored_row(const Row& x, std::int64_t row, const SoftmaxLossArgs& args,
                                            typename Row::Element* diff_logits) {
  if (diff_logits != nullptr) x.write(GradMode::kOverwrite, diff_logits, [](int, float) { return 0.0f; });
  if (!x.is_first_thread()) return;
  args.row_loss[row] = 0.0f;
  args.label_rank[row] = kNoRank;
  args.winner[row] = -1;
}

/// How many scores beat the label's, in a warp's or a block's every thread. A NaN beats and is beaten by everything.
template <class Row>
__device__ __forceinline__ int rank_of_label(const Row& x, int label, float of_label) {
  int rank = 0;
  x.each([&](int i, float score) {
    const bool beats = i < label ? !(score < of_label) : i > label && !(score <= of_label);
    rank += beats ? 1 : 0;
  });
  return x.sum(rank);
}

template <class Row>
__device__ __forceinline__ int first_largest(const Row& x, float largest) {
  int winner = kNobody;
  x.each([&](int i, float score) {
    if (score != score) winner = -1;
    if (score == largest) winner = min(winner, i);
  });
  return x.min(winner);
}

/// `logits` and `diff_logits` are the row's. All threads of the row call it.
template <class Row>
__device__ __forceinline__ void counted_row(const Row& x, const SoftmaxLossProblem& p, std::int64_t row, int rows,
                                            const SoftmaxLossArgs& args, const typename Row::Element* logits,
                                            typename Row::Element* diff_logits) {
  const int label = args.labels[row];
  const bool is_class = label >= 0 && label < p.classes;
  const float of_label = is_class ? to_float(logits[label]) : NAN;

  float largest = -INFINITY;
  x.each([&](int, float score) { largest = fmaxf(largest, score); });
  largest = x.max(largest);
  float sum = 0.0f, sum_of_z = 0.0f;
  x.each([&](int, float score) {
    sum += expf(score - largest);
    sum_of_z += score - largest;
  });
  sum = x.sum(sum);
  if (!is_class) sum = NAN;
  sum_of_z = x.sum(sum_of_z);
  const int rank = rank_of_label(x, label, of_label);
  const int winner = first_largest(x, largest);

  const float share = p.smoothing / static_cast<float>(p.classes);
  const float own = 1.0f - p.smoothing;
  if (x.is_first_thread()) {
    float loss = logf(sum);
    if (own != 0.0f) loss -= own * (of_label - largest);  // 0 * -inf would be NaN where the target is 0
    if (share != 0.0f) loss -= share * sum_of_z;
    args.row_loss[row] = loss;
    args.label_rank[row] = is_class ? rank : kNoRank;
    args.winner[row] = winner;
  }
  if (diff_logits == nullptr) return;
  x.sync();  // in place: everybody has read the label's score
  const float scale = 1.0f / sum;
  const float rate = 1.0f / static_cast<float>(rows);
  x.write(GradMode::kOverwrite, diff_logits, [&](int i, float score) {
    const float target = i == label ? share + own : share;
    return (expf(score - largest) * scale - target) * rate;
  });
}

constexpr int kWarpBlock = kWarpsOfRows * kWarpSize;

template <class T, int kPerLane>
__global__ void __launch_bounds__(kWarpBlock)
    softmax_loss_warp_kernel(SoftmaxLossProblem p, SoftmaxLossArgs args, const T* logits, T* diff_logits) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarpsOfRows + warp_index();
  if (row >= p.batch) return;  // the whole warp; no barrier follows
  const int rows = counted_rows(p, args.rows);
  const T* logits_row = logits + row * p.classes;
  T* diff_row = diff_logits == nullptr ? nullptr : diff_logits + row * p.classes;
  const WarpRow<T, kPerLane> x(logits_row, p.classes);
  if (row < rows) {
    counted_row(x, p, row, rows, args, logits_row, diff_row);
  } else {
    ignored_row(x, row, args, diff_row);
  }
}

template <class T, int kVector>
__global__ void __launch_bounds__(kThreadsOfRow, kBlocksOfRow)
    softmax_loss_block_kernel(SoftmaxLossProblem p, SoftmaxLossArgs args, const T* logits, T* diff_logits) {
  const std::int64_t row = blockIdx.x;
  const int rows = counted_rows(p, args.rows);
  const T* logits_row = logits + row * p.classes;
  T* diff_row = diff_logits == nullptr ? nullptr : diff_logits + row * p.classes;
  const BlockRow<T, kVector> x(logits_row, p.classes, shared<RowScratch>());
  if (row < rows) {
    counted_row(x, p, row, rows, args, logits_row, diff_row);
  } else {
    ignored_row(x, row, args, diff_row);
  }
}

template <class T>
Status start(const SoftmaxLossProblem& p, const SoftmaxLossArgs& args, Stream stream) {
  const auto go = [&](auto kernel, std::int64_t blocks, int threads) {
    return launch(kernel,
                  {.grid = dim3(static_cast<unsigned>(blocks)),
                   .block = dim3(static_cast<unsigned>(threads)),
                   .shared_bytes = 0,
                   .stream = stream},
                  p, args, static_cast<const T*>(args.logits), static_cast<T*>(args.diff_logits));
  };
  const std::int64_t blocks = (p.batch + kWarpsOfRows - 1) / kWarpsOfRows;
  if (p.classes <= kShortRow) return go(softmax_loss_warp_kernel<T, kShortRow / kWarpSize>, blocks, kWarpBlock);
  if (p.classes <= kMiddleRow) return go(softmax_loss_warp_kernel<T, kMiddleRow / kWarpSize>, blocks, kWarpBlock);
  if (p.classes <= kLongestWarpRow)
    return go(softmax_loss_warp_kernel<T, kLongestWarpRow / kWarpSize>, blocks, kWarpBlock);
  if (p.classes % kRowVector<T> == 0) return go(softmax_loss_block_kernel<T, kRowVector<T>>, p.batch, kThreadsOfRow);
  return go(softmax_loss_block_kernel<T, 1>, p.batch, kThreadsOfRow);
}

}  // namespace

Verdict softmax_loss_supports(const SoftmaxLossProblem& problem, DType type) {
  if (type != DType::kF32 && type != DType::kBf16)
    return Verdict::no(std::string("no softmax loss of ") + name_of(type));
  if (problem.classes < 1) return Verdict::no("a row needs one class at least");
  if (problem.classes > 1 << 30) return Verdict::no("more than 2^30 classes: positions in a row have 31 bits");
  if (problem.batch < 0 || problem.batch >= std::int64_t{1} << 31) return Verdict::no("rows must be 0 ... 2^31 - 1");
  if (!(problem.smoothing >= 0 && problem.smoothing <= 1)) return Verdict::no("smoothing must be 0 ... 1");
  return Verdict::yes();
}

Status softmax_loss(const SoftmaxLossProblem& problem, DType type, const SoftmaxLossArgs& args, Stream stream) {
  if (const Verdict verdict = softmax_loss_supports(problem, type); !verdict)
    return Status::failed("softmax_loss: " + verdict.reason());
  if (problem.batch == 0) return Status::ok();
  if (Status status = check_arrays("softmax_loss",
                                   {{"logits", args.logits},
                                    {"labels", args.labels, 4},
                                    {"row_loss", args.row_loss, 4},
                                    {"label_rank", args.label_rank, 4},
                                    {"winner", args.winner, 4}},
                                   {{"diff_logits", args.diff_logits}, {"rows", args.rows, 4}});
      !status)
    return status;
  return type == DType::kF32 ? start<float>(problem, args, stream) : start<__nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards
