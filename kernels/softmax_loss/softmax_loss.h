#pragma once
// Softmax, cross-entropy with label smoothing, its gradient, and what a report counts, in one kernel. The sums over the
// batch are accumulate_metrics()'s (kernels/metrics).

#include "kernels/base/dtype.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/softmax_loss/problem.h"

namespace cudacards {

/// A rank that no report counts: of a row beyond the rows that count, and of a label that is none.
constexpr std::int32_t kNoRank = 0x7fffffff;

struct SoftmaxLossArgs {
  const void* logits = nullptr;          // (batch, classes), 16-byte aligned
  const std::int32_t* labels = nullptr;  // (batch), read where a row counts
  const std::int32_t* rows = nullptr;    // in device memory: how many rows count; null: all
  void* diff_logits = nullptr;           // (batch, classes), 16-byte aligned; null: not wanted; may be logits' memory
  float* row_loss = nullptr;             // (batch)
  std::int32_t* label_rank = nullptr;    // (batch)
  std::int32_t* winner = nullptr;        // (batch)
};

Verdict softmax_loss_supports(const SoftmaxLossProblem& problem, DType type);

/// Of row i < rows, target = (1 - smoothing) * onehot(label) + smoothing / classes:
///   row_loss = sum of target * -log softmax over target != 0
///   diff_logits = (softmax - target) / rows
///   label_rank = scores that beat the label's: larger, equal and earlier, or NaN; 0 is top-1, below 5 is top-5
///   winner = the first of the largest, -1 where the row has a NaN
/// Of the others: no loss, a zero gradient, kNoRank, winner -1. A NaN or +inf among the logits, or a label outside
/// 0 ... classes - 1, makes the row's loss and gradient NaN; the latter's rank is kNoRank.
Status softmax_loss(const SoftmaxLossProblem& problem, DType type, const SoftmaxLossArgs& args, Stream stream);

}  // namespace cudacards
