#pragma once
// How pooling kernels are cut into blocks. Rows that nobody has measured say so.

#include "kernels/base/arch.h"

namespace cudacards {

struct PoolTuning {
  Arch arch;
  unsigned most_blocks;  // beyond that the blocks of 256 threads go round
};

constexpr PoolTuning kPoolTuning[] = {
    {.arch = {8, 0}, .most_blocks = 1u << 16},  // not measured
    {.arch = {9, 0}, .most_blocks = 1u << 16},  // not measured
};
constexpr PoolTuning kDefaultPoolTuning = kPoolTuning[0];

}  // namespace cudacards
