#pragma once
// Copies between fp32 and bf16, and fills: what a training step needs between its operations (bf16 copies of fp32
// parameters, gradients that start at zero).

#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/cast/problem.h"

namespace cudacards {

struct CastArgs {
  const void* src = nullptr;  // 16-byte aligned; not the memory of dst
  void* dst = nullptr;        // 16-byte aligned
};

/// fp32 to bf16, rounded to nearest, ties to even; bf16 to fp32.
Verdict cast_supports(const CastProblem& problem);
Status cast(const CastProblem& problem, const CastArgs& args, Stream stream);

/// dst (16-byte aligned) becomes `value`, of fp32 or bf16.
Verdict fill_supports(const FillProblem& problem, DType type);
Status fill(const FillProblem& problem, DType type, void* dst, Stream stream);

}  // namespace cudacards
