#pragma once
// Numbers that only a measurement can settle. They do not depend on the machine that runs: a split of another size
// would give other bytes.

namespace cudacards::conv_pool {

struct Tuning {
  const char* gpu;
  int weights_gradient_blocks;  // how many blocks the weight gradient is split into, where there are tiles enough
  const char* evidence;
};

inline constexpr Tuning kTuning[] = {
    {"any", 264, "not measured: two blocks for each of 132 multiprocessors"},
};

}  // namespace cudacards::conv_pool
