#pragma once
// Runs one implementation of one operation the way a plan does: the kernel's own memory needs, pointers only to what it
// asked for, everything in guarded, poisoned memory, on the CPU or on the emulator.

#include "tests/support/op_case.h"

namespace cudacards::testing {

/// Values that the types of the case can hold, so that every implementation starts from the same numbers.
struct OpInputs {
  std::vector<std::vector<float>> src, parameters;
  std::vector<float> diff_dst;
};
/// Small integers: sums are exact in any order.
OpInputs integer_inputs(const OpCase& c, std::uint32_t seed = 1);
/// Uniform in [-1, 1); variances and gammas positive.
OpInputs random_inputs(const OpCase& c, std::uint32_t seed = 1);

struct RunOptions {
  Step step{.training = true, .seed = 1234, .number = 3};
  bool training = true;                           // false: made for inference, no backward
  bool frozen = false;                            // no gradients of parameters
  GradMode diff_src_mode = GradMode::kOverwrite;  // of a case that wants it at all
  GradMode diff_parameters_mode = GradMode::kOverwrite;
  float gradient_before = 2.0f;  // what the gradients hold where they are accumulated
};

struct OpOutputs {
  std::vector<float> dst;
  std::vector<std::vector<float>> diff_src, diff_parameters;  // empty vectors where there is none
  std::vector<std::vector<float>> parameters;                 // afterwards: running statistics have moved
  bool operator==(const OpOutputs&) const = default;
};

/// Fails the running test when a guard band, a source or a gradient that was to be ignored has changed.
OpOutputs run(const OpCase& c, const Implementation& implementation, const OpInputs& inputs,
              const RunOptions& options = {});

}  // namespace cudacards::testing
