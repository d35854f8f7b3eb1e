#pragma once
// Parameter updates over one contiguous parameter buffer, in one pass.

#include <cstdint>
#include <span>

#include "kernels/optimizer/problem.h"

namespace cudacards {

/// One step, t = step + 1. moment1 is SGD's velocity; moment2 is unused by SGD and may be empty. `average`, when not
/// empty, is the exponential moving average of the parameters: average = d * average + (1 - d) * w, taken after the
/// update.
void optimizer_step(const OptimizerOptions& options, std::span<const OptimizerSegment> segments, float rate,
                    std::uint64_t step, std::span<float> parameters, std::span<const float> gradients,
                    std::span<float> moment1, std::span<float> moment2, std::span<float> average = {},
                    float average_decay = 0.0f);

}  // namespace cudacards
