#pragma once
// Who works on a row, by its length. Compiled in, one row for all machines: it decides the order of sums.

#include "kernels/base/tuning.h"

namespace cudacards {

struct SoftmaxTuning {
  int short_row, middle_row, longest_warp_row;  // classes up to which a warp keeps the row in registers
  int warps;                                    // of a block, a row each
  int threads;                                  // of the block that works on one longer row
  int blocks;  // such that an SM should hold: 64 registers a thread. Without it ptxas aims at 32 and spills
  const char* evidence;
};

// Latency, not bandwidth, decides for the batches of a training step (256 rows of 53 classes are 54 KB), so blocks are
// small and there are many.
inline constexpr SoftmaxTuning kSoftmaxTuning = {.short_row = 64,
                                                 .middle_row = 256,
                                                 .longest_warp_row = 1024,
                                                 .warps = 4,
                                                 .threads = 256,
                                                 .blocks = 4,
                                                 .evidence = kNotMeasured};

constexpr int kShortRow = kSoftmaxTuning.short_row, kMiddleRow = kSoftmaxTuning.middle_row,
              kLongestWarpRow = kSoftmaxTuning.longest_warp_row;
constexpr int kWarpsOfRows = kSoftmaxTuning.warps, kThreadsOfRow = kSoftmaxTuning.threads,
              kBlocksOfRow = kSoftmaxTuning.blocks;

}  // namespace cudacards
