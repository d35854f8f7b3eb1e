#pragma once
// How the buffer is cut into chunks, one a block. Compiled in, one row for all machines.

#include "kernels/base/tuning.h"

namespace cudacards {

struct OptimizerTuning {
  int threads;  // of a block
  int quads;    // of four neighbours, one after another in a thread
  const char* evidence;
};

// A thread has four or five loads of 16 bytes on their way at once: 2048 threads of an SM are 128 KB, four times what
// HBM's latency asks for. More quads only share the search for the first segment.
inline constexpr OptimizerTuning kOptimizerTuning = {.threads = 256, .quads = 4, .evidence = kNotMeasured};

}  // namespace cudacards
