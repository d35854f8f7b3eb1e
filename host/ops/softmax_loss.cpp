#include "host/ops/softmax_loss.h"

#include "host/ops/reference/softmax.h"
#include "host/ops/reference/softmax_loss.h"

namespace cudacards {

// A batch has some thousands of logits: one thread and the order of the rows are the fastest and the simplest.
SoftmaxLossResult softmax_loss(const float* logits, const std::int32_t* labels, std::int64_t n, std::int64_t rows,
                               std::int64_t classes, float smoothing, float* diff_logits, std::int32_t* winners) {
  return reference::softmax_loss(logits, labels, n, rows, classes, smoothing, diff_logits, winners);
}

void softmax_rows(const float* logits, std::int64_t n, std::int64_t classes, float* probabilities) {
  reference::softmax_forward(n, classes, logits, probabilities);
}

}  // namespace cudacards
