#pragma once
// Sizes of a block's work. Compiled in, one row for all machines.

#include "kernels/base/tuning.h"

namespace cudacards {

// A piece: 12 KB of shared memory, 8 blocks an SM.
struct PieceTuning {
  int threads, pixels;
  const char* evidence;
};
inline constexpr PieceTuning kPieceTuning = {.threads = 256, .pixels = 1024, .evidence = kNotMeasured};

// The blur's columns are computed for up to 30 pixels on either side of the tile: 64 wide, a sigma of 1 computes 1.1
// times the columns and a sigma of 10 twice.
struct BlurTuning {
  int threads, width, height;
  const char* evidence;
};
inline constexpr BlurTuning kBlurTuning = {.threads = 256, .width = 64, .height = 16, .evidence = kNotMeasured};

}  // namespace cudacards
