// diff_weights = (diff_weights +) scale * sum over splits of partial[split], diff_bias likewise without the scale
//
// A place an element (slices.h): always the same order. Reads splits * (9 C + 1) K * 4 bytes side by side, most of them
// still in the second cache. The first layer of a network has 900 elements and 660 splits.

#include <algorithm>

#include "kernels/conv_pool/internal.h"
#include "kernels/conv_pool/window.cuh"
#include "kernels/simt/launch.h"
#include "kernels/simt/slices.h"

namespace cudacards::conv_pool {
namespace {

__global__ void __launch_bounds__(kSliceBlock)
    conv_pool_wgrad_reduce_kernel(std::int64_t weight_elements, int filters, int splits, float scale, GradMode mode,
                                  const float* partial, float* diff_weights, float* diff_bias) {
  const std::int64_t i = slice_place(splits);
  const std::int64_t elements = weight_elements + filters;
  const bool of_weights = i < weight_elements;
  const bool is_wanted = of_weights || (i < elements && diff_bias != nullptr);
  // Threads past the end stay for the barrier.
  const float sum = sum_of_slices<1>(partial + (is_wanted ? i : 0), elements, splits, is_wanted ? 1 : 0)[0];
  if (!has_sum_of_slices(splits) || !is_wanted) return;
  float& to = of_weights ? diff_weights[i] : diff_bias[i - weight_elements];
  const float value = of_weights ? sum * scale : sum;
  to = mode == GradMode::kAccumulate ? to + value : value;
}

}  // namespace

Status reduce_weights(const ConvPoolProblem& p, int splits, const ConvPoolWeightsArgs& args, Stream stream) {
  const std::int64_t weight_elements = p.conv.weight_elements();
  const std::int64_t blocks = slice_blocks(weight_elements + p.conv.k, splits);
  const LaunchConfig config = {
      .grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(kSliceBlock), .shared_bytes = 0, .stream = stream};
  const float scale = p.source == ConvPoolSource::kU8 ? p.scale : 1.0f;
  return launch(conv_pool_wgrad_reduce_kernel, config, weight_elements, p.conv.k, splits, scale, args.mode,
                static_cast<const float*>(args.workspace), args.diff_weights, args.diff_bias);
}

}  // namespace cudacards::conv_pool
