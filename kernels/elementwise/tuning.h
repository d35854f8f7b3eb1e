#pragma once
// How elementwise kernels are cut into blocks. Rows that nobody has measured say so.

#include "kernels/base/arch.h"

namespace cudacards {

struct ElementwiseTuning {
  Arch arch;
  unsigned most_blocks;  // beyond that the blocks of 256 threads go round
};

constexpr ElementwiseTuning kElementwiseTuning[] = {
    {.arch = {8, 0}, .most_blocks = 1u << 16},  // not measured
    {.arch = {9, 0}, .most_blocks = 1u << 16},  // not measured
};
constexpr ElementwiseTuning kDefaultElementwiseTuning = kElementwiseTuning[0];

}  // namespace cudacards
