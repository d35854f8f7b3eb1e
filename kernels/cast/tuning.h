#pragma once
// Data, with where it comes from.

namespace cudacards {

struct CastTuning {
  int threads;  // of a block
  int vectors;  // one after another in a thread
};

//   architecture | threads | vectors | evidence
//   sm_80, sm_90 |     256 |       4 | not measured
constexpr CastTuning kCastTuning = {.threads = 256, .vectors = 4};

}  // namespace cudacards
