#pragma once
// Numbers that only a measurement can settle. They do not depend on the machine that runs: a split of another size
// would give other bytes.

namespace cudacards::conv_pool {

struct Tuning {
  const char* gpu;
  // How many blocks the weight gradient is split into, where there are tiles enough.
  int weights_blocks;         // tensor cores, SIMT
  int narrow_weights_blocks;  // C <= 4 on tensor cores: smaller blocks
  const char* evidence;
};

inline constexpr Tuning kTuning[] = {
    {"any", 264, 660, "not measured: two and five blocks for each of 132 multiprocessors"},
};

}  // namespace cudacards::conv_pool
