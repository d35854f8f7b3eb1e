#pragma once
// Inverted dropout without a mask: every element's random number is computed where it is needed, forward and again
// backward.

#include <cstdint>

#include "kernels/base/dtype.h"
#include "kernels/base/status.h"
#include "kernels/base/step_clock.h"
#include "kernels/base/stream.h"
#include "kernels/base/verdict.h"

namespace cudacards {

struct DropoutProblem {
  std::int64_t elements = 0;
  float rate = 0.5f;
  std::uint32_t node = 0;  // the lane of this layer's random numbers

  std::int64_t bytes(DType type) const { return 2 * elements * static_cast<std::int64_t>(size_of(type)); }
};

struct DropoutArgs {
  const void* src = nullptr;         // `elements`, 16-byte aligned
  void* dst = nullptr;               // as src; may be the same memory
  const StepClock* clock = nullptr;  // in device memory
};

/// dst[i] = src[i] / (1 - rate) where uniform01(random4(seed, kDropout, step, node, i / 4).v[i % 4]) >= rate, else 0.
/// With diff_dst as src this is the backward pass too.
Verdict dropout_supports(const DropoutProblem& problem, DType type);
Status dropout(const DropoutProblem& problem, DType type, const DropoutArgs& args, Stream stream);

}  // namespace cudacards
