#pragma once
// The update rules for one element, in the CPU's order of operations (host/ops/optimizer.cpp): the same bytes. For .cu
// files; a kernel that has a gradient in its registers may apply a rule without the gradient ever reaching memory.

#include "kernels/optimizer/problem.h"
#include "kernels/simt/ieee.h"

namespace cudacards {

/// m += (g - m) (1 - beta1);  v += (g g - v) (1 - beta2);  w = (w - decay w) - rate m / (sqrt(v) + epsilon)
struct AdamRule {
  static constexpr int kMoments = 2;
  float one_minus_beta1, one_minus_beta2, epsilon;
  float rate;   // bias correction included
  float decay;  // rate * weight decay; 0: none

  static __device__ __forceinline__ AdamRule of(const OptimizerOptions& o, const OptimizerClock& clock, bool decays,
                                                float rate_scale) {
    const Ieee rate = Ieee(clock.rate) * rate_scale;
    const bool decoupled = o.kind == OptimizerKind::kAdamW && decays;
    return {(Ieee(1.0f) - o.beta1).value, (Ieee(1.0f) - o.beta2).value, o.epsilon,
            static_cast<float>(static_cast<double>(rate.value) * clock.correction),
            decoupled ? (rate * o.weight_decay).value : 0.0f};
  }

  __device__ __forceinline__ void update(float& parameter, float gradient, float& moment1, float& moment2) const {
    const Ieee w = parameter, g = gradient;
    const Ieee m = moment1 + (g - moment1) * one_minus_beta1;
    const Ieee v = moment2 + (g * g - moment2) * one_minus_beta2;
    parameter = ((w - decay * w) - rate * m / (square_root(v) + epsilon)).value;
    moment1 = m.value;
    moment2 = v.value;
  }
};

/// velocity = momentum velocity + (g + decay w);  w -= rate velocity
struct SgdRule {
  static constexpr int kMoments = 1;
  float momentum, rate, decay;

  static __device__ __forceinline__ SgdRule of(const OptimizerOptions& o, const OptimizerClock& clock, bool decays,
                                               float rate_scale) {
    return {o.momentum, (Ieee(clock.rate) * rate_scale).value, decays ? o.weight_decay : 0.0f};
  }

  __device__ __forceinline__ void update(float& parameter, float gradient, float& velocity, float&) const {
    const Ieee w = parameter;
    const Ieee next = momentum * Ieee(velocity) + (gradient + decay * w);
    parameter = (w - rate * next).value;
    velocity = next.value;
  }
};

/// average = decay average + (1 - decay) w, after the update.
__device__ __forceinline__ float moved_average(float average, float decay, float parameter) {
  return (Ieee(decay) * average + (Ieee(1.0f) - decay) * parameter).value;
}

}  // namespace cudacards
