#pragma once
// How many blocks depthwise kernels start at most; beyond that a block computes more strips. Few blocks stage a filter
// less often, many fill the machine evenly. Rows that nobody has measured say so.

#include "kernels/base/arch.h"

namespace cudacards {

struct DepthwiseTuning {
  Arch arch;
  unsigned forward_blocks;           // forward and data gradient
  unsigned backward_weights_blocks;  // as many partial sums go through the workspace
};

constexpr DepthwiseTuning kDepthwiseTuning[] = {
    {.arch = {8, 0},
     .forward_blocks = 2 * 4 * 108,
     .backward_weights_blocks = 2 * 108},  // not measured: multiprocessors
    {.arch = {9, 0}, .forward_blocks = 2 * 4 * 132, .backward_weights_blocks = 2 * 132},  // not measured
};
constexpr DepthwiseTuning kDefaultDepthwiseTuning = kDepthwiseTuning[1];

}  // namespace cudacards
