#pragma once
// The learning rate as a pure function of the step, so that a resumed run continues on the same curve.

#include <cstdint>

#include "host/train/run_config.h"

namespace cudacards {

/// Rate of optimizer step `step` (from 0). Warm-up: linear from rate/steps to rate over warmup_epochs. Cosine
/// (Loshchilov and Hutter, "SGDR", ICLR 2017, one period): from rate down to rate * final_rate over the rest of
/// `epochs`.
float rate_at(const RunConfig& config, std::uint64_t step, std::int64_t steps_per_epoch);

}  // namespace cudacards
