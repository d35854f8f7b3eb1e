// diff_weights = (diff_weights +) scale * sum over splits of partial[split], diff_bias likewise without the scale
//
// One element a thread, the splits one after the other: always the same order. Reads splits * (9 C + 1) K * 4 bytes
// side by side, most of them still in the second cache.

#include <algorithm>

#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/window.cuh"
#include "kernels/simt/launch.h"

namespace cudacards::conv_pool {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    conv_pool_wgrad_reduce_kernel(std::int64_t weight_elements, int filters, int splits, float scale, GradMode mode,
                                  const float* partial, float* diff_weights, float* diff_bias) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const std::int64_t elements = weight_elements + filters;
  if (i >= elements) return;
  float sum = 0;
  for (int split = 0; split < splits; ++split) sum += partial[split * elements + i];
  const bool of_weights = i < weight_elements;
  if (!of_weights && diff_bias == nullptr) return;
  float& to = of_weights ? diff_weights[i] : diff_bias[i - weight_elements];
  const float value = of_weights ? sum * scale : sum;
  to = mode == GradMode::kAccumulate ? to + value : value;
}

}  // namespace

Status reduce_weights(const ConvPoolProblem& p, int splits, const ConvPoolWeightsArgs& args, Stream stream) {
  const std::int64_t weight_elements = p.conv.weight_elements();
  const std::int64_t blocks = (weight_elements + p.conv.k + kThreads - 1) / kThreads;
  const LaunchConfig config = {
      .grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kThreads), .shared_bytes = 0, .stream = stream};
  const float scale = p.source == ConvPoolSource::kU8 ? p.scale : 1.0f;
  return launch(conv_pool_wgrad_reduce_kernel, config, weight_elements, p.conv.k, splits, scale, args.mode,
                static_cast<const float*>(args.workspace), args.diff_weights, args.diff_bias);
}

}  // namespace cudacards::conv_pool
