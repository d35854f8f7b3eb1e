#pragma once
// What the registered models ask of the kernels, derived from their graphs: a new model's layers are tested at once.
//
// Channels, filters, windows, strides and padding are the models' own. Pictures are a corner of theirs, as even or odd
// as they are, since the emulator runs every thread: the models at 224 x 224 pixels, cut to at most 6 x 9. Dense layers
// behind a flattened picture have the inputs of 16 x 16 pixels. Each problem once, named after the first layer that has
// it.

#include <string>
#include <vector>

#include "kernels/batch_norm/problem.h"
#include "kernels/conv_pool/problem.h"
#include "kernels/dense/problem.h"
#include "kernels/pool/problem.h"
#include "kernels/softmax/problem.h"

namespace cudacards::testing {

template <class Problem>
struct Named {
  std::string name;  // letters, digits and _: "cnn_conv2d_1"
  Problem problem;
};
template <class Problem>
using NamedProblems = std::vector<Named<Problem>>;

struct ModelProblems {
  NamedProblems<Conv2dProblem> conv2d;     // not of 1 x 1 taps and stride 1
  NamedProblems<DenseProblem> pointwise;   // 1 x 1 convolutions of stride 1: a row a pixel
  NamedProblems<Conv2dProblem> depthwise;  // groups == C == K
  NamedProblems<ConvPoolProblem> conv_pool;
  NamedProblems<DenseProblem> dense;
  NamedProblems<Pool2dProblem> max_pool;
  NamedProblems<GlobalPoolProblem> global_pool;
  NamedProblems<BatchNormProblem> batch_norm;
  NamedProblems<SoftmaxProblem> softmax;
  /// Layers that no kernel is known for. (Kernels that look at one element at a time know only how many there are.)
  std::vector<std::string> left_over;
};

const ModelProblems& model_problems();

/// For INSTANTIATE_TEST_SUITE_P(Models, ...): cases that `make` makes of named problems.
template <class Problem, class Make>
auto cases_of_models(const NamedProblems<Problem>& problems, Make&& make) {
  std::vector<decltype(make(problems[0]))> cases;
  for (const auto& named : problems) cases.push_back(make(named));
  return cases;
}

template <class Problem>
std::vector<Problem> problems_of(const NamedProblems<Problem>& problems) {
  return cases_of_models(problems, [](const auto& named) { return named.problem; });
}

}  // namespace cudacards::testing
