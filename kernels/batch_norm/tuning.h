#pragma once
// How many blocks share the rows, and how a block works. Compiled in, one row for all machines: a sum has the same
// order everywhere.

#include "kernels/base/tuning.h"

namespace cudacards {

struct BatchNormTuning {
  int threads;
  int rows_at_once;     // loads a thread has under way: 4 * 16 bytes
  int pairs_at_once;    // the same of two tensors; four pairs spill in bf16 on sm_90
  int backward_blocks;  // an SM should hold: 128 registers a thread; left to itself ptxas aims at 80 and spills
  int columns;          // most vectors of channels a block is wide
  int reduce_blocks;    // statistics and gradient sums: few slabs, so that the second step is short
  int stream_blocks;    // normalise and diff_src
  const char* evidence;
};

// 528 blocks are four for each of an H200's 132 SMs and five for an A100's 108.
inline constexpr BatchNormTuning kBatchNormTuning = {.threads = 256,
                                                     .rows_at_once = 4,
                                                     .pairs_at_once = 2,
                                                     .backward_blocks = 2,
                                                     .columns = 32,
                                                     .reduce_blocks = 528,
                                                     .stream_blocks = 1056,
                                                     .evidence = kNotMeasured};

}  // namespace cudacards
