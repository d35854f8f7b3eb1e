#include "host/ops/optimizer.h"

#include <algorithm>
#include <cmath>

#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

struct Average {
  float* values;  // null: none is kept
  float decay;

  void take(std::int64_t begin, std::int64_t end, const float* w) const {
    if (!values) return;
    for (std::int64_t i = begin; i < end; ++i) values[i] = decay * values[i] + (1 - decay) * w[i];
  }
};

struct AdamScalars {
  float beta1, beta2, epsilon;
  float rate;   // bias correction included
  float decay;  // rate * weight decay; 0: none
};

AdamScalars adam_scalars(const OptimizerOptions& o, float rate, std::uint64_t step, bool decays) {
  const double correction = adam_correction(o, step);
  const bool decoupled = o.kind == OptimizerKind::kAdamW && decays;
  return {o.beta1, o.beta2, o.epsilon, static_cast<float>(rate * correction), decoupled ? rate * o.weight_decay : 0.0f};
}

// __restrict: the four buffers never overlap, and without the promise the loop is not vectorised.
void adam(const AdamScalars& s, std::int64_t begin, std::int64_t end, float* __restrict w, const float* __restrict g,
          float* __restrict m, float* __restrict v) {
  for (std::int64_t i = begin; i < end; ++i) {
    m[i] += (g[i] - m[i]) * (1 - s.beta1);
    v[i] += (g[i] * g[i] - v[i]) * (1 - s.beta2);
    w[i] = (w[i] - s.decay * w[i]) - s.rate * m[i] / (std::sqrt(v[i]) + s.epsilon);
  }
}

void sgd(float momentum, float decay, float rate, std::int64_t begin, std::int64_t end, float* __restrict w,
         const float* __restrict g, float* __restrict velocity) {
  for (std::int64_t i = begin; i < end; ++i) {
    velocity[i] = momentum * velocity[i] + (g[i] + decay * w[i]);
    w[i] -= rate * velocity[i];
  }
}

}  // namespace

void optimizer_step(const OptimizerOptions& options, std::span<const OptimizerSegment> segments, float rate,
                    std::uint64_t step, std::span<float> parameters, std::span<const float> gradients,
                    std::span<float> moment1, std::span<float> moment2, std::span<float> average, float average_decay) {
  const bool is_sgd = options.kind == OptimizerKind::kSgd;
  CUDACARDS_CHECK(gradients.size() == parameters.size() && moment1.size() == parameters.size());
  CUDACARDS_CHECK(is_sgd || moment2.size() == parameters.size());
  CUDACARDS_CHECK(average.empty() || average.size() == parameters.size());
  const Average ema{average.empty() ? nullptr : average.data(), average_decay};

  for (const OptimizerSegment& segment : segments) {
    CUDACARDS_CHECK(0 <= segment.begin && segment.begin <= segment.end &&
                    segment.end <= static_cast<std::int64_t>(parameters.size()));
    const float segment_rate = rate * segment.rate_scale;
    const AdamScalars scalars = adam_scalars(options, segment_rate, step, segment.decays);
    const float sgd_decay = segment.decays ? options.weight_decay : 0.0f;
    // Blocks that stay in the cache, so that the average reads the new parameters from there.
    constexpr std::int64_t kBlock = 4096;
    const auto update = [&](std::int64_t first, std::int64_t last, int) {
      for (std::int64_t i = segment.begin + first; i < segment.begin + last; i += kBlock) {
        const std::int64_t end = std::min(i + kBlock, segment.begin + last);
        if (is_sgd) {
          sgd(options.momentum, sgd_decay, segment_rate, i, end, parameters.data(), gradients.data(), moment1.data());
        } else {
          adam(scalars, i, end, parameters.data(), gradients.data(), moment1.data(), moment2.data());
        }
        ema.take(i, end, parameters.data());
      }
    };
    const std::int64_t size = segment.end - segment.begin;
    if (size <= kBlock) {  // threads would take longer to meet
      update(0, size, 0);
    } else {
      parallel_ranges(size, update);
    }
  }
}

}  // namespace cudacards
