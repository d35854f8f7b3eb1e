#pragma once
// Pictures of a data set in device memory, gathered by index and normalised as they are: what eval and predict feed a
// model with. The bytes of host/ops/rescale.cpp.

#include <cstdint>

#include "kernels/augment/problem.h"
#include "kernels/base/dtype.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"

namespace cudacards {

struct RescaleArgs {
  const std::uint8_t* pictures = nullptr;  // (D,H,W,3), 16-byte aligned
  const std::int32_t* indices = nullptr;   // (N) in 0..D-1, in any order and repeated; null: 0..N-1
  void* dst = nullptr;                     // (N,H,W,3), 16-byte aligned
};

/// fp32 or bf16.
Verdict rescale_supports(const PictureBatchProblem& problem, DType type);
Status rescale(const PictureBatchProblem& problem, DType type, const RescaleArgs& args, Stream stream);

}  // namespace cudacards
