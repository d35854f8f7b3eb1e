#pragma once
// Into how many slices the sum of a matrix product is split, and so in which order it is taken: by architecture.

#include "kernels/base/tuning.h"

namespace cudacards {

struct MatmulTuning {
  Arch arch;
  int blocks_wanted;  // slices are added until there are so many; large tiles only where there are so many of them
  int least_slice;    // of k: a slice shorter than this is not worth its partial sums
  const char* evidence;
};

// A block a multiprocessor of the largest card; 256 of k, whose operands are five times the bytes of a 32 x 128 tile's
// partial sums in bf16.
// clang-format off
inline constexpr MatmulTuning kMatmulTuning[] = {
    {.arch = {8, 0}, .blocks_wanted = 108, .least_slice = 256, .evidence = kNotMeasured},
    {.arch = {9, 0}, .blocks_wanted = 132, .least_slice = 256, .evidence = kNotMeasured},
};
// clang-format on

constexpr const MatmulTuning& matmul_tuning(Arch arch) { return row_for(kMatmulTuning, arch); }

}  // namespace cudacards
