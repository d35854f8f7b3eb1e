#pragma once
// An update of all parameters as a value: which rule, and which runs of the one parameter buffer it moves.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "kernels/base/optimizer_clock.h"
#include "kernels/base/verdict.h"

namespace cudacards {

enum class OptimizerKind : std::uint8_t { kSgd, kAdam, kAdamW };

constexpr const char* name_of(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kSgd:
      return "sgd";
    case OptimizerKind::kAdam:
      return "adam";
    case OptimizerKind::kAdamW:
      return "adamw";
  }
  return "?";
}

/// Keras' defaults. Adam: Kingma and Ba, ICLR 2015, in Keras' form: w -= rate * sqrt(1-b2^t)/(1-b1^t) * m / (sqrt(v) +
/// epsilon). AdamW: Loshchilov and Hutter, ICLR 2019: w -= rate * decay * w, before. SGD: m = momentum * m + g; w -=
/// rate * m.
struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdam;
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-7f;
  float momentum = 0.9f;      // SGD
  float weight_decay = 0.0f;  // AdamW, and SGD (added to the gradient); only where a segment decays
};

/// A run of the parameter buffer that is updated alike.
struct OptimizerSegment {
  std::int64_t begin = 0, end = 0;
  bool decays = false;
  float rate_scale = 1.0f;  // discriminative learning rates
};

/// sqrt(1 - b2^t) / (1 - b1^t), t = step + 1.
inline double adam_correction(const OptimizerOptions& options, std::uint64_t step) {
  const double t = static_cast<double>(step) + 1;
  return std::sqrt(1 - std::pow(double{options.beta2}, t)) / (1 - std::pow(double{options.beta1}, t));
}

/// The average's decay in this step: min(decay, (1 + t) / (10 + t)), t = step + 1, as TensorFlow's
/// ExponentialMovingAverage with num_updates. Without the second term an average with the decay 0.998 would be made of
/// what the first steps began with for a thousand steps: half a data set's epochs, where the data set is small.
inline float average_decay_at(float decay, std::uint64_t step) {
  const double t = static_cast<double>(step) + 1;
  return std::min(decay, static_cast<float>((1 + t) / (10 + t)));
}

/// What to copy into device memory before a step. `average_decay` is of that step.
inline OptimizerClock optimizer_clock(const OptimizerOptions& options, std::uint64_t step, float rate,
                                      float average_decay = 0.0f) {
  return {.step = step, .correction = adam_correction(options, step), .rate = rate, .average_decay = average_decay};
}

enum class MovingAverage : bool { kNone, kKept };
enum class Bf16Copy : bool { kNone, kWritten };

struct OptimizerProblem {
  OptimizerOptions options;
  std::int64_t elements = 0;  // of the parameter buffer
  int segments = 0;

  /// The least that an update of every element must move: gradient read; parameter and moments read and written.
  std::int64_t bytes(MovingAverage average, Bf16Copy copy) const {
    const std::int64_t each = options.kind == OptimizerKind::kSgd ? 20 : 28;
    return elements * (each + (average == MovingAverage::kKept ? 8 : 0) + (copy == Bf16Copy::kWritten ? 2 : 0));
  }
  /// Square root and division count as one each.
  std::int64_t flops(MovingAverage average) const {
    const std::int64_t each = options.kind == OptimizerKind::kSgd ? 6 : 14;
    return elements * (each + (average == MovingAverage::kKept ? 3 : 0));
  }
};

/// Kernels search the table of segments: it must be in ascending order, without overlaps, within the buffer.
inline Verdict segments_are_ordered(std::span<const OptimizerSegment> segments, std::int64_t elements) {
  std::int64_t last = 0;
  for (const OptimizerSegment& segment : segments) {
    if (segment.begin < last || segment.end < segment.begin || segment.end > elements)
      return Verdict::no("the segments must be in ascending order, without overlaps, within the parameters");
    last = segment.end;
  }
  return Verdict::yes();
}

}  // namespace cudacards
