#pragma once
// How elementwise kernels are cut into blocks.

#include "kernels/base/tuning.h"

namespace cudacards {

struct ElementwiseTuning {
  Arch arch;
  unsigned most_blocks = 1;  // beyond that the blocks of 256 threads go round
  const char* evidence = kNotMeasured;
};

// clang-format off
inline constexpr ElementwiseTuning kElementwiseTuning[] = {
    {.arch = {8, 0}, .most_blocks = 65536, .evidence = kNotMeasured},
    {.arch = {9, 0}, .most_blocks = 65536, .evidence = kNotMeasured},
};
// clang-format on

constexpr const ElementwiseTuning& elementwise_tuning(Arch arch) { return row_for(kElementwiseTuning, arch); }
inline constexpr ElementwiseTuning kDefaultElementwiseTuning = elementwise_tuning({9, 0});

}  // namespace cudacards
