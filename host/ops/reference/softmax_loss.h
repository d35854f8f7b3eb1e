#pragma once
// Softmax cross-entropy in any floating type: what host/ops/softmax_loss.h says, row by row.

#include <algorithm>
#include <cmath>
#include <string>

#include "host/ops/softmax_loss.h"
#include "host/runtime/error.h"

namespace cudacards::reference {

/// How many scores beat the label's: larger, or equal and earlier. A NaN beats everything, so that a diverged row is
/// never correct.
template <class T>
std::int64_t rank_of_label(const T* scores, std::int64_t classes, std::int32_t label) {
  std::int64_t rank = 0;
  for (std::int64_t i = 0; i < classes; ++i) {
    if (i == label) continue;
    rank += !(scores[i] <= scores[label]) || (scores[i] == scores[label] && i < label);
  }
  return rank;
}

template <class T>
SoftmaxLossResult softmax_loss(const T* logits, const std::int32_t* labels, std::int64_t n, std::int64_t rows,
                               std::int64_t classes, T smoothing, T* diff_logits) {
  SoftmaxLossResult result{.rows = rows};
  const double share = static_cast<double>(smoothing) / static_cast<double>(classes);
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* x = logits + row * classes;
    const std::int32_t label = labels[row];
    CUDACARDS_CHECK(label >= 0 && label < classes, "label " + std::to_string(label));
    const T largest = *std::max_element(x, x + classes);
    double sum = 0;
    for (std::int64_t i = 0; i < classes; ++i) sum += std::exp(x[i] - largest);
    const double log_sum = std::log(sum) + static_cast<double>(largest);
    for (std::int64_t i = 0; i < classes; ++i) {
      const double target = share + (i == label ? 1.0 - static_cast<double>(smoothing) : 0.0);
      if (target != 0) result.loss_sum += target * (log_sum - static_cast<double>(x[i]));
      if (diff_logits) {
        const double softmax = std::exp(x[i] - largest) / sum;
        diff_logits[row * classes + i] = static_cast<T>((softmax - target) / static_cast<double>(rows));
      }
    }
    const std::int64_t rank = rank_of_label(x, classes, label);
    result.correct += rank < 1;
    result.correct_top5 += rank < 5;
  }
  if (diff_logits) std::fill(diff_logits + rows * classes, diff_logits + n * classes, T(0));
  return result;
}

}  // namespace cudacards::reference
