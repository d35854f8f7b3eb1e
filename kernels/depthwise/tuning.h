#pragma once
// How many blocks depthwise kernels start at most; beyond that a block computes more strips. Few blocks stage a filter
// less often, many fill the machine evenly.

#include "kernels/base/tuning.h"

namespace cudacards {

struct DepthwiseTuning {
  Arch arch;
  unsigned forward_blocks = 1;           // forward and data gradient
  unsigned backward_weights_blocks = 1;  // as many partial sums go through the workspace: the order of sums
  const char* evidence = kNotMeasured;
};

// Two blocks of four warps' worth an SM, and two an SM.
// clang-format off
inline constexpr DepthwiseTuning kDepthwiseTuning[] = {
    {.arch = {8, 0}, .forward_blocks = 864, .backward_weights_blocks = 216, .evidence = kNotMeasured},
    {.arch = {9, 0}, .forward_blocks = 1056, .backward_weights_blocks = 264, .evidence = kNotMeasured},
};
// clang-format on

constexpr const DepthwiseTuning& depthwise_tuning(Arch arch) { return row_for(kDepthwiseTuning, arch); }
inline constexpr DepthwiseTuning kDefaultDepthwiseTuning = depthwise_tuning({9, 0});

}  // namespace cudacards
