#pragma once
// One optimizer step in any floating type, written as the papers have it; host/ops/optimizer.h says which.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "host/ops/optimizer.h"

namespace cudacards::reference {

template <class T>
struct OptimizerState {
  std::span<T> parameters;
  std::span<T> moment1, moment2;
};

template <class T>
void optimizer_step(const OptimizerOptions& o, std::span<const OptimizerSegment> segments, double rate,
                    std::uint64_t step, std::span<const T> gradients, OptimizerState<T> state) {
  const T t = static_cast<T>(step + 1);
  for (const OptimizerSegment& segment : segments) {
    const T eta = static_cast<T>(rate) * T(segment.rate_scale);
    const T decay = segment.decays ? T(o.weight_decay) : T(0);
    for (auto i = static_cast<std::size_t>(segment.begin); i < static_cast<std::size_t>(segment.end); ++i) {
      T& w = state.parameters[i];
      T& m = state.moment1[i];
      const T g = gradients[i];
      if (o.kind == OptimizerKind::kSgd) {
        m = T(o.momentum) * m + g + decay * w;
        w -= eta * m;
        continue;
      }
      T& v = state.moment2[i];
      if (o.kind == OptimizerKind::kAdamW) w -= eta * decay * w;
      m = T(o.beta1) * m + (1 - T(o.beta1)) * g;
      v = T(o.beta2) * v + (1 - T(o.beta2)) * g * g;
      const T corrected = eta * std::sqrt(1 - std::pow(T(o.beta2), t)) / (1 - std::pow(T(o.beta1), t));
      w -= corrected * m / (std::sqrt(v) + T(o.epsilon));
    }
  }
}

}  // namespace cudacards::reference
