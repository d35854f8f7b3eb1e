#pragma once
// Activation, sum of two tensors, fan-in of gradients. All tensors are 16-byte aligned, fp32 or bf16, of any layout.

#include "kernels/base/dtype.h"
#include "kernels/base/grad_mode.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/elementwise/problem.h"
#include "kernels/elementwise/tuning.h"

namespace cudacards {

/// What all of them can do.
Verdict elementwise_supports(std::int64_t elements, DType type);

struct ActivationForwardArgs {
  const void* src = nullptr;
  void* dst = nullptr;  // may be src
};
/// dst = apply(activation, src). A NaN stays a NaN.
Status activation_forward(const ActivationProblem& problem, DType type, const ActivationForwardArgs& args,
                          Stream stream, const ElementwiseTuning& tuning = kDefaultElementwiseTuning);

struct ActivationBackwardArgs {
  const void* dst = nullptr;  // of the forward pass: its clamps are the mask
  const void* diff_dst = nullptr;
  void* diff_src = nullptr;  // may be diff_dst where it is overwritten
  GradMode diff_src_mode = GradMode::kOverwrite;
};
/// diff_src = diff_dst * derivative_from_result(activation, dst).
Status activation_backward(const ActivationProblem& problem, DType type, const ActivationBackwardArgs& args,
                           Stream stream, const ElementwiseTuning& tuning = kDefaultElementwiseTuning);

struct AddArgs {
  const void* a = nullptr;
  const void* b = nullptr;  // may be a
  void* dst = nullptr;      // may be a or b
};
/// dst = a + b: a residual connection.
Status add(const AddProblem& problem, DType type, const AddArgs& args, Stream stream,
           const ElementwiseTuning& tuning = kDefaultElementwiseTuning);

struct AddBackwardArgs {
  const void* diff_dst = nullptr;
  void* diff_src = nullptr;  // of one of the two sources: one call each
  GradMode diff_src_mode = GradMode::kOverwrite;
};
/// diff_src = diff_dst, or diff_src += diff_dst where branches fan in.
Status add_backward(const AddProblem& problem, DType type, const AddBackwardArgs& args, Stream stream,
                    const ElementwiseTuning& tuning = kDefaultElementwiseTuning);

}  // namespace cudacards
