#pragma once
// One launch updates all parameters of a model: Adam, AdamW or SGD with momentum, the moving average of the parameters
// and their bf16 copy. The bytes of host/ops/optimizer.h where nothing is a NaN.

#include <cstdint>
#include <limits>

#include "kernels/base/dtype.h"
#include "kernels/base/status.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"
#include "kernels/optimizer/problem.h"

namespace cudacards {

/// In device memory. Zeros before the first step. From the first update that was not made on none is, so that the
/// parameters are still those of the step that went wrong when the host looks; the caller begins anew with zeros.
struct GradientReport {
  static constexpr int kNoSegment = std::numeric_limits<int>::max();
  std::uint32_t not_finite = 0;  // gradients that are infinite or NaN: of the latest check, or since the first bad one
  int first_segment = kNoSegment;  // the first segment that has one
  std::uint32_t skipped = 0;       // updates that were not made: that many steps ago it went wrong
};

/// All arrays of `problem.elements`, 16-byte aligned, fp32 but for the copy. Elements outside of all segments are
/// neither read nor written.
struct OptimizerArgs {
  const OptimizerSegment* segments = nullptr;  // `problem.segments`, in device memory; segments_are_ordered()
  const OptimizerClock* clock = nullptr;       // in device memory
  float* parameters = nullptr;
  const float* gradients = nullptr;
  float* moment1 = nullptr;          // SGD: velocity
  float* moment2 = nullptr;          // not read by SGD
  float* average = nullptr;          // null: none is kept
  Bf16* copy = nullptr;              // the new parameters as the next forward pass reads them; null: none is written
  GradientReport* report = nullptr;  // not null: nothing is updated while not_finite is not 0
};

Verdict optimizer_supports(const OptimizerProblem& problem);
Status optimizer_update(const OptimizerProblem& problem, const OptimizerArgs& args, Stream stream);

/// Counts the gradients that are not finite into args.report, in two launches. Reads only segments, gradients, report.
Status check_gradients(const OptimizerProblem& problem, const OptimizerArgs& args, Stream stream);

}  // namespace cudacards
