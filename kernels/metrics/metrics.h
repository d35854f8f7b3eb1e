#pragma once
// What a report says of an epoch, added up in device memory so that no step waits for the host.

#include <cstdint>

#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"

namespace cudacards {

/// Zero bytes are the start of an epoch.
struct Metrics {
  double loss_sum = 0;  // over the rows that count
  std::int64_t rows = 0;
  std::int64_t correct = 0;       // rank 0
  std::int64_t correct_top5 = 0;  // rank below 5
};

struct MetricsProblem {
  std::int64_t batch = 1;
  std::int64_t bytes() const { return 8 * batch + 2 * static_cast<std::int64_t>(sizeof(Metrics)); }
};

/// All in device memory.
struct MetricsArgs {
  const float* row_loss = nullptr;           // (batch), of softmax_loss()
  const std::int32_t* label_rank = nullptr;  // (batch), of softmax_loss()
  const std::int32_t* rows = nullptr;        // how many rows count; null: all
  Metrics* metrics = nullptr;                // is added to
};

Verdict accumulate_metrics_supports(const MetricsProblem& problem);
/// metrics += the first `rows` rows. The loss is summed in double, always in the same order (metrics.cu).
Status accumulate_metrics(const MetricsProblem& problem, const MetricsArgs& args, Stream stream);

}  // namespace cudacards
