#include "host/ops/cpu/weights_gradient.h"

namespace cudacards::cpu {

void WeightsGradient::finish(const float* sums, int threads, std::int64_t stride, GradMode mode, float* diff_weights,
                             float* diff_bias) const {
  const auto put_total = [&](std::int64_t element, float& dst) {
    float sum = sums[element];
    for (int thread = 1; thread < threads; ++thread) sum += sums[thread * stride + element];
    dst = mode == GradMode::kAccumulate ? dst + sum : sum;
  };
  for (std::int64_t tap = 0; tap < std::int64_t{conv_.k} * 9; ++tap) {
    for (int c = 0; c < conv_.c; ++c) put_total(place_of(tap, c), diff_weights[tap * conv_.c + c]);
  }
  if (!diff_bias) return;
  for (int k = 0; k < conv_.k; ++k) put_total(conv_.weight_elements() + k, diff_bias[k]);
}

}  // namespace cudacards::cpu
