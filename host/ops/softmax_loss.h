#pragma once
// Softmax cross-entropy, its gradient and the counts of a report in one pass over the logits.

#include <cstdint>
#include <span>

namespace cudacards {

struct SoftmaxLossResult {
  double loss_sum = 0;       // over the rows that count, natural logarithm, label smoothing included
  std::int64_t correct = 0;  // the winner is the label
  std::int64_t correct_top5 = 0;
  std::int64_t rows = 0;
};

/// logits (N, classes) fp32; labels N, of which the first `rows` count (a short last batch is padded). Target of row i:
/// (1 - smoothing) * onehot + smoothing / classes (Szegedy et al., CVPR 2016; Keras' definition).
/// diff_logits (N, classes) or null = (softmax - target) / rows, zero in the rows that don't count. Sums in row order.
/// winners (rows) or null: the largest logit's class, the first of equals; -1 where a logit is NaN: such a row is never
/// correct.
SoftmaxLossResult softmax_loss(const float* logits, const std::int32_t* labels, std::int64_t n, std::int64_t rows,
                               std::int64_t classes, float smoothing, float* diff_logits,
                               std::int32_t* winners = nullptr);

/// probabilities (N, classes) = softmax of each row, computed from the row's maximum. May be the same memory.
void softmax_rows(const float* logits, std::int64_t n, std::int64_t classes, float* probabilities);

}  // namespace cudacards
