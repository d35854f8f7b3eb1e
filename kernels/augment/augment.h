#pragma once
// Pictures of a data set in device memory, gathered by index, blurred, warped, lit, erased and normalised: what
// training feeds a model with. The bytes of host/ops/augment_pixels.h, but for blurred pictures on a GPU: its
// exponential function rounds otherwise, and a blurred pixel on the border of two levels of 0..255 may become the
// other.

#include <cstdint>

#include "kernels/augment/problem.h"
#include "kernels/base/dtype.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"

namespace cudacards {

struct AugmentArgs {
  const std::uint8_t* pictures = nullptr;      // (D,H,W,3), 16-byte aligned
  const std::int32_t* indices = nullptr;       // (N) in 0..D-1, in any order and repeated; null: 0..N-1
  const ImageTransform* transforms = nullptr;  // (N), in device memory
  std::uint8_t* blurred = nullptr;             // PictureBatchProblem::blurred_bytes() of scratch, 16-byte aligned;
                                               // null: nothing is blurred, whatever the transforms say
  void* dst = nullptr;                         // (N,H,W,3), 16-byte aligned
};

/// fp32 or bf16. One launch, two with `blurred`.
Verdict augment_supports(const PictureBatchProblem& problem, DType type);
Status augment(const PictureBatchProblem& problem, DType type, const AugmentArgs& args, Stream stream);

}  // namespace cudacards
