#pragma once
// The problems that kernels are tuned for: those of the registered models, derived from their graphs.

#include <span>
#include <string>
#include <vector>

#include "kernels/conv_pool/problem.h"
#include "kernels/dense/problem.h"
#include "kernels/pool/problem.h"

namespace cudacards::sweep {

/// Each problem once, however many layers and models have it.
struct Problems {
  std::vector<Conv2dProblem> conv2d;       // groups = 1, not 1 x 1
  std::vector<Conv2dProblem> depthwise;    // groups = C = K
  std::vector<ConvPoolProblem> conv_pool;  // what a plan fuses
  std::vector<DenseProblem> dense;         // and 1 x 1 convolutions
  std::vector<Pool2dProblem> max_pool;
  std::vector<std::int64_t> elements;  // of activations and sums
};

/// Of all models at 224 x 224 pixels, fused and unfused, a set for each batch.
Problems problems_of_models(std::span<const int> batches);

std::string describe(const Conv2dProblem& problem);
std::string describe(const DenseProblem& problem);
std::string describe(const Pool2dProblem& problem);

}  // namespace cudacards::sweep
