#pragma once
// What an optimizer needs anew at every step, in device memory beside the StepClock: one captured CUDA graph serves
// every step.

#include <cstdint>

namespace cudacards {

struct OptimizerClock {
  std::uint64_t step = 0;  // the first is 0
  /// Adam's correction of both moments' bias for this step. From the host (optimizer_clock() in
  /// kernels/optimizer/problem.h): two powers in double a step instead of two a thread, and the CPU's bits.
  double correction = 1;
  float rate = 0;           // the schedule's learning rate
  float average_decay = 0;  // of the parameters' moving average, where one is kept: from 0 to 1
};

}  // namespace cudacards
