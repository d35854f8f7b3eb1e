#pragma once
// How a block shares out casts and fills. Compiled in, one row for all machines.

#include "kernels/base/tuning.h"

namespace cudacards {

struct CastTuning {
  int threads;  // of a block
  int vectors;  // one after another in a thread
  const char* evidence;
};
inline constexpr CastTuning kCastTuning = {.threads = 256, .vectors = 4, .evidence = kNotMeasured};

}  // namespace cudacards
