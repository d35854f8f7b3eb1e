#pragma once
// What changes from step to step, in device memory: kernels read it there, so that one captured CUDA graph serves every
// step.

#include <cstdint>

namespace cudacards {

struct StepClock {
  std::uint64_t seed = 0;    // of the run
  std::uint64_t number = 0;  // of the optimizer step
};

}  // namespace cudacards
