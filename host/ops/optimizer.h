#pragma once
// Parameter updates over one contiguous parameter buffer, in one pass.

#include <cstdint>
#include <span>

namespace cudacards {

enum class OptimizerKind : std::uint8_t { kSgd, kAdam, kAdamW };

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

/// One step, t = step + 1. moment1 is SGD's velocity; moment2 is unused by SGD and may be empty. `average`, when not
/// empty, is the exponential moving average of the parameters: average = d * average + (1 - d) * w, taken after the
/// update.
void optimizer_step(const OptimizerOptions& options, std::span<const OptimizerSegment> segments, float rate,
                    std::uint64_t step, std::span<float> parameters, std::span<const float> gradients,
                    std::span<float> moment1, std::span<float> moment2, std::span<float> average = {},
                    float average_decay = 0.0f);

}  // namespace cudacards
