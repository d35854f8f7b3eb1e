#pragma once
// Softmax cross-entropy in any floating type: what host/ops/softmax_loss.h says, row by row.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "host/ops/softmax_loss.h"
#include "host/runtime/error.h"

namespace cudacards::reference {

/// Where the largest score is, the first of equals; -1 where one is NaN.
template <class T>
std::int32_t winner_of(const T* scores, std::int64_t classes) {
  std::int64_t winner = 0;
  for (std::int64_t i = 0; i < classes; ++i) {
    if (std::isnan(scores[i])) return -1;
    if (scores[i] > scores[winner]) winner = i;
  }
  return static_cast<std::int32_t>(winner);
}

/// How many scores beat the label's: larger, or equal and earlier.
template <class T>
std::int64_t rank_of_label(const T* scores, std::int64_t classes, std::int32_t label) {
  std::int64_t rank = 0;
  for (std::int64_t i = 0; i < classes; ++i) {
    rank += scores[i] > scores[label] || (scores[i] == scores[label] && i < label);
  }
  return rank;
}

template <class T>
SoftmaxLossResult softmax_loss(const T* logits, const std::int32_t* labels, std::int64_t n, std::int64_t rows,
                               std::int64_t classes, T smoothing, T* diff_logits, std::int32_t* winners = nullptr) {
  SoftmaxLossResult result{.rows = rows};
  const double share = static_cast<double>(smoothing) / static_cast<double>(classes);
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* x = logits + row * classes;
    const std::int32_t label = labels[row];
    CUDACARDS_CHECK(label >= 0 && label < classes, "label " + std::to_string(label));
    const std::int32_t winner = winner_of(x, classes);
    const T largest = winner < 0 ? std::numeric_limits<T>::quiet_NaN() : x[winner];  // a NaN shows in loss and gradient
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
    result.correct += winner == label;
    result.correct_top5 += winner >= 0 && rank_of_label(x, classes, label) < 5;
    if (winners) winners[row] = winner;
  }
  if (diff_logits) std::fill(diff_logits + rows * classes, diff_logits + n * classes, T(0));
  return result;
}

}  // namespace cudacards::reference
