#pragma once
// Softmax over rows, and its backward pass.

#include "kernels/base/dtype.h"
#include "kernels/base/grad_mode.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/softmax/problem.h"

namespace cudacards {

struct SoftmaxArgs {
  const void* src = nullptr;  // (rows, classes), 16-byte aligned
  void* dst = nullptr;        // as src; may be the same memory
};

struct SoftmaxBackwardArgs {
  const void* dst = nullptr;       // (rows, classes), what softmax() wrote; 16-byte aligned as all three
  const void* diff_dst = nullptr;  // (rows, classes)
  void* diff_src = nullptr;        // (rows, classes); may be diff_dst's or dst's memory where it is overwritten
  GradMode mode = GradMode::kOverwrite;
};

Verdict softmax_supports(const SoftmaxProblem& problem, DType type);
/// dst = exp(src - max) / sum(exp(src - max)) of each row. A NaN or +inf makes its whole row NaN.
Status softmax(const SoftmaxProblem& problem, DType type, const SoftmaxArgs& args, Stream stream);
/// diff_src = dst * (diff_dst - sum(diff_dst * dst)) of each row; starts nothing for kIgnore.
Status softmax_backward(const SoftmaxProblem& problem, DType type, const SoftmaxBackwardArgs& args, Stream stream);

}  // namespace cudacards
