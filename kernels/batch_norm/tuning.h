#pragma once
// How many blocks share the rows. Not measured on any architecture. The numbers don't ask the machine, so that a sum
// has the same order everywhere: 528 blocks are four for each of an H200's 132 SMs and five for an A100's 108.

namespace cudacards {

struct BatchNormTuning {
  int threads = 256;
  int rows_at_once = 4;      // loads a thread has under way: 4 * 16 bytes
  int pairs_at_once = 2;     // the same of two tensors; four pairs spill in bf16 on sm_90
  int backward_blocks = 2;   // an SM should hold: 128 registers a thread; left to itself ptxas aims at 80 and spills
  int columns = 32;          // most vectors of channels a block is wide
  int reduce_blocks = 528;   // statistics and gradient sums: few slabs, so that the second step is short
  int stream_blocks = 1056;  // normalise and diff_src
};
constexpr BatchNormTuning kBatchNormTuning;

}  // namespace cudacards
