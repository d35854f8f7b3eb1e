#pragma once
// How the buffer is cut into chunks, one a block. Data, with where it comes from.

namespace cudacards {

struct OptimizerTuning {
  int threads;  // of a block
  int quads;    // of four neighbours, one after another in a thread
};

// A thread has four or five loads of 16 bytes on their way at once: 2048 threads of an SM are 128 KB, four times what
// HBM's latency asks for. More quads only share the search for the first segment.
//
//   architecture | threads | quads | evidence
//   sm_80, sm_90 |     256 |     4 | not measured
constexpr OptimizerTuning kOptimizerTuning = {.threads = 256, .quads = 4};

}  // namespace cudacards
