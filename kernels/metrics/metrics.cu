// metrics += { sum of row_loss, rows, rows of rank 0, rows of rank below 5 } over the first `rows` rows.
//
//   thread t of one block adds rows t, t + 256, t + 512, ...; then thread t adds the sums of threads
//   t + 128, t + 64, ... t + 1
//
// Doubles: the losses of an epoch are millions of terms, and 256 rows are two additions a thread, cheap on any GPU. The
// order depends on nothing but `rows`: the same bytes on every machine. Reads 8 bytes a row; the latency of the launch
// and of eight barriers decides.

#include "kernels/metrics/metrics.h"

#include "kernels/base/arrays.h"
#include "kernels/simt/launch.h"
#include "kernels/simt/shared.h"
#include "kernels/simt/warp.h"

namespace cudacards {
namespace {

constexpr int kThreads = 256;
static_assert((kThreads & (kThreads - 1)) == 0, "the sums are halved");

struct Partial {
  double loss[kThreads];
  int correct[kThreads], correct_top5[kThreads];
};

__global__ void __launch_bounds__(kThreads) metrics_kernel(MetricsProblem p, MetricsArgs args) {
  const int batch = static_cast<int>(p.batch);
  const int rows = args.rows == nullptr ? batch : max(0, min(*args.rows, batch));
  double loss = 0;
  int correct = 0, correct_top5 = 0;
  const int thread = static_cast<int>(threadIdx.x);
  for (int row = thread; row < rows; row += kThreads) {
    const int rank = args.label_rank[row];
    loss += static_cast<double>(args.row_loss[row]);
    correct += rank < 1 ? 1 : 0;
    correct_top5 += rank < 5 ? 1 : 0;
  }

  Partial& partial = shared<Partial>();
  partial.loss[thread] = loss;
  partial.correct[thread] = correct;
  partial.correct_top5[thread] = correct_top5;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();  // the sums of threads up to 2 half are there
    if (thread >= half) continue;
    partial.loss[thread] += partial.loss[thread + half];
    partial.correct[thread] += partial.correct[thread + half];
    partial.correct_top5[thread] += partial.correct_top5[thread + half];
  }
  if (thread != 0) return;
  args.metrics->loss_sum += partial.loss[0];
  args.metrics->rows += rows;
  args.metrics->correct += partial.correct[0];
  args.metrics->correct_top5 += partial.correct_top5[0];
}

}  // namespace

Verdict accumulate_metrics_supports(const MetricsProblem& problem) {
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - kThreads;
  if (problem.batch < 0 || problem.batch >= kMost) return Verdict::no("rows must be 0 ... 2^31 - 257");
  return Verdict::yes();
}

Status accumulate_metrics(const MetricsProblem& problem, const MetricsArgs& args, Stream stream) {
  if (const Verdict verdict = accumulate_metrics_supports(problem); !verdict)
    return Status::failed("accumulate_metrics: " + verdict.reason());
  if (problem.batch == 0) return Status::ok();
  if (Status status = check_arrays("accumulate_metrics",
                                   {{"row_loss", args.row_loss, 4},
                                    {"label_rank", args.label_rank, 4},
                                    {"metrics", args.metrics, alignof(Metrics)}},
                                   {{"rows", args.rows, 4}});
      !status)
    return status;
  return launch(metrics_kernel, {.grid = dim3(1), .block = dim3(kThreads), .shared_bytes = 0, .stream = stream},
                problem, args);
}

}  // namespace cudacards
